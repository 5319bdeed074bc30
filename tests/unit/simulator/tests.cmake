# SPDX-License-Identifier: MIT
# The ceilings of the simulated truth are measured with the project's own AUC.
target_link_libraries(test_simulator_engagement PRIVATE gw_quality)
target_link_libraries(test_simulator_drift PRIVATE gw_quality)
