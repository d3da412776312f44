//! `--watch`: the commands whose answers can be followed, and the events that move what they show.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::Seconds;

/// A command, and the types of events after which it answers otherwise; none where there are no such events.
struct Watchable {
    command: &'static [&'static str],
    events: &'static [&'static str],
}

const CLAIMS: &[&str] = &["claim.*"];
const HOSTS: &[&str] = &["node.*", "host.*", "gpu.*", "claim.*"];
const JOBS: &[&str] = &["job.*"];

const WATCHABLE: [Watchable; 19] = [
    Watchable { command: &["claims", "list"], events: CLAIMS },
    Watchable { command: &["claims", "get"], events: CLAIMS },
    Watchable { command: &["nodes", "list"], events: HOSTS },
    Watchable { command: &["nodes", "get"], events: HOSTS },
    Watchable { command: &["hosts", "list"], events: HOSTS },
    Watchable { command: &["hosts", "get"], events: HOSTS },
    Watchable { command: &["hosts", "gpus"], events: HOSTS },
    Watchable { command: &["gpus"], events: HOSTS },
    Watchable { command: &["slurm", "jobs", "list"], events: JOBS },
    Watchable { command: &["slurm", "jobs", "get"], events: JOBS },
    Watchable { command: &["slurm", "nodes"], events: JOBS },
    Watchable { command: &["machines", "list"], events: &[] },
    Watchable { command: &["machines", "get"], events: &[] },
    Watchable { command: &["salt", "minions"], events: &[] },
    Watchable { command: &["jupyter", "users"], events: &[] },
    Watchable { command: &["jupyter", "get"], events: &[] },
    Watchable { command: &["webhooks", "list"], events: &[] },
    Watchable { command: &["webhooks", "deliveries"], events: &[] },
    Watchable { command: &["backends"], events: &[] },
];

/// How an answer is followed.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The types of events after which it is asked for again.
    pub(crate) events: &'static [&'static str],
    /// The longest time between two looks.
    pub(crate) interval: Seconds,
}

/// The command line with what makes such commands go on.
pub(super) fn with_watch(command: Command) -> Command {
    WATCHABLE.iter().fold(command, |command, watchable| add(command, watchable.command, watchable.events))
}

fn add(command: Command, place: &[&'static str], events: &[&str]) -> Command {
    match place {
        [next, rest @ ..] => command.mut_subcommand(next, |command| add(command, rest, events)),
        [] => {
            let watch = Arg::new("watch").short('w').long("watch").action(ArgAction::SetTrue);
            let (help, default) = if events.is_empty() {
                ("Look again and again, and show what has changed, until Ctrl-C", "2s")
            } else {
                ("Look again after each event, and show what has changed, until Ctrl-C", "10s")
            };
            let interval = Arg::new("interval").long("interval").value_name("TIME").value_parser(value_parser!(Seconds));
            let interval = interval.default_value(default).requires("watch");
            command.arg(watch.help(help)).arg(interval.help("With --watch: the longest time between two looks, e.g. 5s"))
        }
    }
}

/// Whether and how the command that was typed goes on.
pub(crate) fn watched(matches: &ArgMatches) -> Option<Watch> {
    let (mut leaf, mut place) = (matches, Vec::new());
    while let Some((name, below)) = leaf.subcommand() {
        place.push(name);
        leaf = below;
    }
    let watchable = WATCHABLE.iter().find(|watchable| watchable.command == place)?;
    let interval = *leaf.get_one::<Seconds>("interval")?;
    leaf.get_flag("watch").then_some(Watch { events: watchable.events, interval })
}
