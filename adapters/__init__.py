"""One file for each simulator family: the real simulator behind the episode contract. ADAPTERS maps a family to `module:Class`."""

ADAPTERS = {
    "minigrid": "adapters.minigrid:MiniGridAdapter",
    "atari": "adapters.atari:AtariAdapter",
    "metaworld": "adapters.metaworld:MetaWorldAdapter",
    "maniskill": "adapters.maniskill:ManiSkillAdapter",
    "pointmaze": "adapters.robotics:PointMazeAdapter",
    "antmaze": "adapters.robotics:AntMazeAdapter",
    "fetch": "adapters.robotics:FetchAdapter",
    "miniworld": "adapters.miniworld:MiniWorldAdapter",
    "vizdoom": "adapters.vizdoom:VizDoomAdapter",
    "miniwob": "adapters.miniwob:MiniWobAdapter",
    "scienceworld": "adapters.scienceworld:ScienceWorldAdapter",
    "textworld": "adapters.textworld:TextWorldAdapter",
    "alfworld": "adapters.alfworld:AlfWorldAdapter",
    "pddl": "adapters.pddl:PddlAdapter",
    "gym": "adapters.gym:GymAdapter",
}
