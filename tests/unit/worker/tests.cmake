# SPDX-License-Identifier: MIT
# Batches are scored with bundles that the tests write.
foreach(name retrain_gate retrain_guard_trial score_batch score_model score_targets)
  target_link_libraries(test_worker_${name} PRIVATE gw_testsupport)
endforeach()
