-- Expand: the code before this release goes on writing "amount" alone.
ALTER TABLE orders ADD COLUMN amount_cents bigint;
UPDATE orders SET amount_cents = round(amount * 100);
