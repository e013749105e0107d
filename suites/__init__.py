"""Suites as data. SUITES maps a name to the module whose `SUITES` holds it; nothing is imported before it is used."""

SUITES = {
    "smoke": "suites.smoke",
    "babyai": "suites.babyai",
    "babyai-planning": "suites.babyai",
    "minigrid": "suites.minigrid",
    "atari": "suites.atari",
    "atari-sticky": "suites.atari",
    "metaworld": "suites.metaworld",
    "maniskill": "suites.maniskill",
    "maniskill-planner": "suites.maniskill",
    "maniskill-more": "suites.maniskill",
    "maniskill-gpu": "suites.maniskill",
    "fetch": "suites.robotics",
    "pointmaze": "suites.robotics",
    "antmaze": "suites.robotics",
    "miniworld": "suites.miniworld",
    "vizdoom": "suites.vizdoom",
    "pddl": "suites.pddl",
    "pddl-plan": "suites.pddl",
}
