# SPDX-License-Identifier: MIT
# Runs the program.
add_dependencies(test_train_reference godwit-train)
