"""Adapters: one module or package per simulator family puts the simulator behind the contract.

ADAPTERS maps the name of a family to the entry string `module:Class` of its adapter.
"""

ADAPTERS = {
    "minigrid": "adapters.minigrid:MiniGridAdapter",
    "atari": "adapters.atari:AtariAdapter",
    "metaworld": "adapters.metaworld:MetaWorldAdapter",
    "maniskill": "adapters.maniskill:ManiSkillAdapter",
    "grasp-tail": "adapters.maniskill:GraspTailAdapter",
    "simpler": "adapters.maniskill:SimplerAdapter",
    "pusht": "adapters.pusht:PushTAdapter",
    "aloha": "adapters.aloha:AlohaAdapter",
    "pointmaze": "adapters.robotics:PointMazeAdapter",
    "antmaze": "adapters.robotics:AntMazeAdapter",
    "fetch": "adapters.robotics:FetchAdapter",
    "hand-touch": "adapters.robotics:HandAdapter",
    "miniworld": "adapters.miniworld:MiniWorldAdapter",
    "vizdoom": "adapters.vizdoom:VizDoomAdapter",
    "vizdoom-audio": "adapters.vizdoom_audio:HearingVizDoomAdapter",
    "crafter": "adapters.crafter:CrafterAdapter",
    "nethack": "adapters.nethack:NetHackAdapter",
    "miniwob": "adapters.miniwob:MiniWobAdapter",
    "scienceworld": "adapters.scienceworld:ScienceWorldAdapter",
    "textworld": "adapters.textworld:TextWorldAdapter",
    "alfworld": "adapters.alfworld:AlfWorldAdapter",
    "pddl": "adapters.pddl:PddlAdapter",
    "habitat": "adapters.habitat:HabitatAdapter",
    "procgen": "adapters.procgen:ProcgenAdapter",
    "calvin": "adapters.calvin:CalvinAdapter",
    "libero": "adapters.libero:LiberoAdapter",
    "langr": "adapters.langr:LangRAdapter",
    "androidcontrol": "adapters.androidcontrol:AndroidControlAdapter",
    "gym": "adapters.gym:GymAdapter",
}
