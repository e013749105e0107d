"use strict";
Figures.sortTables();
