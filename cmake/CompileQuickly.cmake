# What is built only to be tested is not optimized: that takes half the time. The library that it tests is.
function(compile_quickly target)
    target_compile_options(${target} PRIVATE -O0 -U_FORTIFY_SOURCE)
endfunction()
