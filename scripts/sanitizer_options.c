/* Linked into the nginx of scripts/sanitize, because nginx hands no environment on to the binary that it
   is upgraded to. REPORTS is the path that reports begin with. */
const char *__asan_default_options(void) {
    return "log_path=" REPORTS
           /* nginx gives the memory of a cycle back to the system by ending */
           ":detect_leaks=0"
           ":detect_stack_use_after_return=1"
           /* memory that cannot be had is an error to be handled, as without the sanitizer */
           ":allocator_may_return_null=1"
           /* the tests of the clock preload a library */
           ":verify_asan_link_order=0"
           /* several workers at a time, each with its own */
           ":quarantine_size_mb=16";
}
