//! The directive table as nginx reads it, and the one handler behind all of it.

use std::ffi::{OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nginx_sys::{
    NGX_CONF_1MORE, NGX_CONF_NOARGS, NGX_CONF_TAKE1, NGX_CONF_TAKE12, NGX_HTTP_LIF_CONF,
    NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF, NGX_HTTP_MAIN_CONF_OFFSET,
    NGX_HTTP_SRV_CONF, ngx_command_t, ngx_conf_t, ngx_str_t, ngx_uint_t,
};
use ngx::core::{NGX_CONF_ERROR, NGX_CONF_OK};

use super::content_handler::serve;
use super::directives::{Arguments, Contexts, DIRECTIVES, Directive, Set};
use super::error::{DirectiveError, DirectiveFailure};
use super::header_file;
use super::settings::LocationSettings;
use super::shared_zone;
use super::source_location::SourceLocation;
use super::state::{LocationConf, MainConf, main_conf_being_read};
use crate::ngx_ext::complex_value::ComplexValue;
use crate::ngx_ext::conf::{self, full_path, words};
use crate::ngx_ext::guard::guard;
use crate::ngx_ext::log::{self, Level};

/// nginx's table: one entry a directive and an empty one at the end.
struct Commands([ngx_command_t; DIRECTIVES.len() + 1]);

// SAFETY: the table is never written to; its pointers lead to constants.
unsafe impl Sync for Commands {}

static COMMANDS: Commands = Commands({
    let mut commands = [ngx_command_t::empty(); DIRECTIVES.len() + 1];
    let mut i = 0;
    while i < DIRECTIVES.len() {
        commands[i] = command(&DIRECTIVES[i]);
        i += 1;
    }
    commands
});

/// The table for the module record.
pub const fn commands() -> *mut ngx_command_t {
    (&raw const COMMANDS.0).cast::<ngx_command_t>().cast_mut()
}

const fn command(directive: &'static Directive) -> ngx_command_t {
    let contexts = [
        (Contexts::HTTP, NGX_HTTP_MAIN_CONF),
        (Contexts::SERVER, NGX_HTTP_SRV_CONF),
        (Contexts::LOCATION, NGX_HTTP_LOC_CONF),
        (Contexts::IF, NGX_HTTP_LIF_CONF),
    ];
    let mut flags = match directive.arguments {
        Arguments::None => NGX_CONF_NOARGS,
        Arguments::NoneOrOne => NGX_CONF_NOARGS | NGX_CONF_TAKE1,
        Arguments::One => NGX_CONF_TAKE1,
        Arguments::OneOrTwo => NGX_CONF_TAKE12,
        Arguments::OneOrMore => NGX_CONF_1MORE,
    };
    let mut i = 0;
    while i < contexts.len() {
        if directive.contexts.contains(contexts[i].0) {
            flags |= contexts[i].1;
        }
        i += 1;
    }
    ngx_command_t {
        name: ngx_str_t {
            len: directive.c_name().count_bytes(),
            data: directive.c_name().as_ptr().cast_mut().cast(),
        },
        type_: flags as ngx_uint_t,
        set: Some(read_directive),
        conf: match directive.set {
            Set::Main(_) | Set::SharedMemory => NGX_HTTP_MAIN_CONF_OFFSET,
            _ => NGX_HTTP_LOC_CONF_OFFSET,
        },
        offset: 0,
        post: (directive as *const Directive).cast_mut().cast(),
    }
}

extern "C" fn read_directive(
    cf: *mut ngx_conf_t,
    cmd: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx hands over the configuration being read, an entry of COMMANDS, whose `post`
    // is its line in DIRECTIVES, and the structure `create_*_conf` made for this level.
    unsafe {
        guard((*cf).log, "reading a directive", NGX_CONF_ERROR, || {
            let directive = &*(*cmd).post.cast::<Directive>();
            match apply(cf, directive, conf) {
                Ok(()) => NGX_CONF_OK,
                Err(DirectiveFailure::Explained(error)) => {
                    let name = if error.names_module() { log::PREFIX } else { "" };
                    conf::log(Level::Emerg, cf, format_args!("{name}{error}"));
                    NGX_CONF_ERROR
                }
                Err(DirectiveFailure::Reported) => NGX_CONF_ERROR,
            }
        })
    }
}

/// # Safety
/// As [`read_directive`]: `conf` is a `MainConf` or a `LocationConf` as `directive.set` says.
unsafe fn apply(
    cf: *mut ngx_conf_t,
    directive: &'static Directive,
    conf: *mut c_void,
) -> Result<(), DirectiveFailure> {
    // SAFETY: the configuration is read by one thread, and nothing else holds these references.
    unsafe {
        let arguments = words(cf).get(1..).unwrap_or_default();
        let first = arguments.first().copied().unwrap_or(ngx_str_t::empty());
        let value = first.as_bytes();
        let refused = |expected| DirectiveError::value(directive.name(), value, expected);
        match directive.set {
            Set::Main(set) => {
                let main = &mut *conf.cast::<MainConf>();
                directive.note(&mut main.places, place(cf))?;
                set(&mut main.settings, value).map_err(refused)?;
            }
            Set::SharedMemory => {
                let main = &mut *conf.cast::<MainConf>();
                directive.note(&mut main.places, place(cf))?;
                shared_zone::request(cf, &main.zone, first, arguments.get(1).copied())?;
            }
            Set::Location(set) => {
                let location = &mut *conf.cast::<LocationConf>();
                directive.note(&mut location.places, place(cf))?;
                set(&mut location.settings, value).map_err(refused)?;
            }
            Set::List(set) => {
                let location = &mut *conf.cast::<LocationConf>();
                directive.note(&mut location.places, place(cf))?;
                let values: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
                let wrong = |error| {
                    let is_wrong =
                        |value: &&&[u8]| set(&mut LocationSettings::default(), &[value]).is_err();
                    let wrong = values.iter().find(is_wrong).copied();
                    DirectiveError::value(directive.name(), wrong.unwrap_or(value), error)
                };
                set(&mut location.settings, &values).map_err(wrong)?;
            }
            Set::ComplexValue(slot) => {
                let location = &mut *conf.cast::<LocationConf>();
                directive.note(&mut location.places, place(cf))?;
                let compiled =
                    ComplexValue::compile(cf, first).ok_or(DirectiveFailure::Reported)?;
                *slot(&mut location.settings) = Some(compiled);
            }
            Set::HeaderFile => {
                let location = &mut *conf.cast::<LocationConf>();
                directive.note(&mut location.places, place(cf))?;
                let path = full_path(cf, first).ok_or(DirectiveFailure::Reported)?;
                let content = header_file::read(Path::new(OsStr::from_bytes(path)))?;
                location.settings.header_template = Some(content);
            }
            Set::Role(parse) => {
                let location = &mut *conf.cast::<LocationConf>();
                if let Some((first, _)) = &location.role {
                    return Err(DirectiveError::second_role(directive.name(), *first).into());
                }
                let role = parse(arguments.first().map(|word| word.as_bytes()))
                    .map_err(DirectiveError::from)?;
                let mut main = main_conf_being_read(cf).ok_or(DirectiveFailure::Reported)?;
                main.as_mut().first_role.get_or_insert_with(|| place(cf));
                location.role = Some((role, place(cf)));
                serve(cf);
            }
        }
    }
    Ok(())
}

/// Where the directive being read stands.
///
/// # Safety
/// `cf` must be the configuration being read.
unsafe fn place(cf: *const ngx_conf_t) -> SourceLocation {
    // SAFETY: the caller vouches for `cf`.
    let (file, line) = unsafe { conf::place(cf) }.unwrap_or_default();
    SourceLocation { file: file.into(), line }
}
