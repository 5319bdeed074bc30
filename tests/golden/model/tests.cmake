# SPDX-License-Identifier: MIT
# The only tests that link libxgboost: it is the oracle here.
gw_test(test_model_parity golden golden/model/test_model_parity.c gw_train)
gw_test(test_model_train golden golden/model/test_model_train.c gw_model)
add_dependencies(test_model_train godwit-train)
gw_test(test_model_linkage golden golden/model/test_model_linkage.c gw_base)
add_dependencies(test_model_linkage godwit-train)
if(TARGET godwit)
  add_dependencies(test_model_linkage godwit)
endif()
# Files that LightGBM and XGBoost wrote elsewhere; no library is linked.
gw_test(test_model_import golden golden/model/test_model_import.c gw_model)
