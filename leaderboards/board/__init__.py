"""The board: a folder of static pages made from entries. `build` starts it."""
