"""The published systems, one file a paper; importing this registers them."""

from tfc_models.models import agustsson2019 as agustsson2019
from tfc_models.models import balle_li as balle_li
from tfc_models.models import bls2017 as bls2017
from tfc_models.models import bmshj2018 as bmshj2018
from tfc_models.models import cheng2020 as cheng2020
from tfc_models.models import choi2019 as choi2019
from tfc_models.models import hific as hific
from tfc_models.models import hu2020 as hu2020
from tfc_models.models import jia2019 as jia2019
from tfc_models.models import johnston2018 as johnston2018
from tfc_models.models import lee2019 as lee2019
from tfc_models.models import ma2020 as ma2020
from tfc_models.models import mbt2018 as mbt2018
from tfc_models.models import mentzer2018 as mentzer2018
from tfc_models.models import nlaic as nlaic
from tfc_models.models import strumpler2020 as strumpler2020
from tfc_models.models import tfcm_base as tfcm_base
from tfc_models.models import tfcm_flex as tfcm_flex
from tfc_models.models import toderici2016 as toderici2016
from tfc_models.models import toderici2017 as toderici2017
from tfc_models.models import vric as vric
