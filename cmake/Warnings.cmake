add_library(acmetool_warnings INTERFACE)
target_compile_options(acmetool_warnings INTERFACE
    -Werror -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wunused-result)
