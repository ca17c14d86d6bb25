# Fails if an object of one instruction set defines a symbol that the linker may share with other code.
#
# The kernels are compiled for instructions that the processor may lack, and only the dispatcher's choice keeps those
# from running. An inline function or template of std:: that such an object instantiates is a *weak* symbol with the
# same name as the baseline's copy; the linker keeps either one. If it keeps the AVX-512 one, an older processor dies
# of SIGILL in code that has nothing to do with kernels, and only in some link orders. So: whatever a kernel source
# defines has internal linkage, or a name that mentions td::<isa>, which no other object can have.
#
# cmake -DNM=nm -DISA=avx2 -DOBJECTS="a.o;b.o" -P isa_symbols.cmake
set(own "N2td[0-9]+${ISA}")
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --defined-only --extern-only ${object}
    OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" lines "${symbols}")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^[^ ]* +[^ ]+ +" "" symbol "${line}")
    if(NOT symbol MATCHES "${own}")
      list(APPEND strangers "${symbol}  (${object})")
    endif()
  endforeach()
endforeach()
if(strangers)
  list(JOIN strangers "\n  " text)
  message(FATAL_ERROR "Defined outside td::${ISA}, so other code may be linked to it:\n  ${text}\n"
    "Give it internal linkage (static, an unnamed namespace), force it inline, or write it without the template.")
endif()
