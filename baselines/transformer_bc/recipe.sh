#!/usr/bin/env bash
# Makes weights of transformer-bc in FOLDER/FUSION; see docs/transformer-bc.md:
#   recipe.sh FOLDER [FUSION]
# Minutes on two cores. The same command continues where it was stopped.
set -euo pipefail
folder=${1:?usage: recipe.sh FOLDER [FUSION]}
fusion=${2:-cross-attention}

bench demos --suite babyai-worded --tasks "*-trained" --episodes 2000 --views grid,direction \
    --noise 0.05 --out "$folder/demos" >&2
bench train transformer-bc --data "$folder/demos" --out "$folder/$fusion" --set "fusion=$fusion" \
    --threads 1
