"""What goes wrong in rehearsals, seeded; `menu.py` lists it all."""
