"""AndroidControl (arXiv 2406.03679): recorded steps on Android screens, scored one by one.

`python -m adapters.androidcontrol FOLDER` prepares the data.
"""

from adapters.androidcontrol.adapter import AndroidControlAdapter

__all__ = ["AndroidControlAdapter"]
