//! The closed list of things that can be wrong with a file, each with a number that never changes its meaning.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; somebody should look.
    Warning,
}

/// Declares the codes, their numbers and severities as one table.
macro_rules! codes {
    ($($number:literal $severity:ident $name:ident $meaning:literal;)*) => {
        /// What is wrong. Numbers are for search engines and suppressions; they are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {$(#[doc = $meaning] $name,)*}

        impl Code {
            /// Every code, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it is printed: `BAS0201`.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => concat!("BAS", $number),)*}
            }

            /// Whether it refuses the file.
            pub const fn severity(self) -> Severity {
                match self {$(Self::$name => Severity::$severity,)*}
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {$(Self::$name => $meaning,)*}
            }
        }
    };
}

codes! {
    // The text, before anything is understood of it.
    "0101" Error FileTooLarge "The file is larger than a spec can be.";
    "0102" Error NotUtf8 "The file is not UTF-8 text.";
    "0103" Error ControlCharacter "A character that cannot be seen, and that may hide something.";
    "0104" Error EmptyFile "Nothing is declared.";
    "0105" Error Syntax "The text is not YAML.";
    "0106" Error SeveralDocuments "More than one document in one file.";
    "0107" Error DuplicateKey "The same field twice in one mapping.";
    "0108" Error Alias "An anchor or an alias: what stands there is not what is meant.";
    "0109" Error MergeKey "A merge key: what stands there is not what is meant.";
    "0110" Error Tag "An explicit YAML tag.";
    "0111" Error KeyNotText "A field name that is a list or a mapping.";
    "0112" Error TooComplex "More values, or nested deeper, than a spec can be.";
    "0113" Error TooManyFindings "More findings than are worth reading at once.";

    // The shape, as the schema has it.
    "0201" Error UnknownField "A field that is not part of the format.";
    "0202" Error MissingField "A required field is not there.";
    "0203" Error WrongType "A value of another type.";
    "0204" Error UnknownWord "A word that is not among the accepted ones.";
    "0205" Error OutOfRange "A number too small or too large.";
    "0206" Error WrongCount "A list too short or too long.";
    "0207" Error NotOneOf "Not exactly one of several alternatives.";
    "0208" Error WrongForm "A text of another form.";
    "0209" Error Unread "The shape is right, and still it could not be read.";

    // Which resources.
    "0301" Error OtherRegion "Resources in two regions.";
    "0302" Error OtherAccount "Resources in two AWS accounts.";
    "0303" Error SameDatabase "Both sides are the same database.";
    "0304" Error EndpointReused "One DMS endpoint in two roles.";
    "0305" Error TaskReused "One DMS task for both directions.";
    "0306" Error WrongHostName "A host name that cannot be one.";
    "0307" Error NotTheWriter "An Aurora host name that is not the cluster's writer endpoint.";
    "0308" Error OtherCluster "The host name belongs to another cluster.";
    "0309" Warning UnknownFamily "A parameter group family that this program has not met.";
    "0310" Warning PerhapsSameDatabase "A legacy host that may belong to the target's cluster: its name does not tell.";
    "0311" Error TooManyZones "More zones than healthy targets to stand in them.";

    // Names on the Internet.
    "0401" Error ShadowIsPublic "The validation name is the public name.";
    "0402" Error OutsideZone "A record outside its hosted zone.";
    "0403" Error CnameAtApex "A CNAME at the zone's apex.";
    "0404" Error NowhereToGo "The public name points at the same place before and after.";
    "0405" Error CnameLoop "A CNAME that points at a name of this migration.";
    "0406" Error AliasInOwnZone "The alias names the public zone in place of the load balancer's.";
    "0407" Warning LongTtl "Resolvers would remember the public name for long.";

    // Time.
    "0501" Error ZeroPeriod "A length of time that must not be zero.";
    "0502" Error RetentionTooShort "Binary logs are purged before the way back is given up.";
    "0503" Error RetentionTooLong "More than Aurora keeps.";
    "0504" Error PauseOutlivesTtl "The write pause may be longer than the public TTL.";
    "0505" Warning ShortPause "A write pause that leaves no time to drain.";
    "0506" Error LagNeverDrains "A lag is accepted that cannot drain within the write pause.";
    "0507" Error ObservationTooShort "The way back would be given up before anybody has looked.";
    "0508" Warning ShortObservation "The way back would be given up before a whole day was seen.";
    "0509" Error ValidationNeverFresh "The comparisons take longer than their result counts.";

    // The listener.
    "0601" Warning EarlyPermanentRedirect "A permanent redirect before the cutover.";
    "0602" Error RedirectToItself "The redirect leads to its own port.";

    // Databases and accounts.
    "0701" Error SystemSchema "A schema that belongs to the server.";
    "0702" Error Twice "The same entry twice in one list.";
    "0703" Error MarkerSchemaTaken "The controller's schema is one of the application's.";
    "0704" Error AccountInBothLists "An account both of the application and of validation.";
    "0705" Error WrongSchemaName "Not the name of a schema.";
    "0706" Error LiteralSecret "A secret in the file.";
    "0707" Error WrongCredentialsName "Not a name under which credentials are found.";
    "0708" Error UndeclaredSchema "A table outside the schemas that move.";
    "0709" Error SchemasDiffer "The two sides do not declare the same schemas.";
    "0710" Error SystemAccount "An account that must not be locked.";
    "0711" Warning PlainText "Database traffic that is not encrypted.";
    "0712" Error EmptyText "A text with nothing in it.";
    "0713" Error UnsafeCondition "A condition that could end the statement it stands in.";
    "0714" Error UndeclaredCanary "A canary of an account that no fence closes.";
    "0715" Error TrustedAndDeclared "An account that the fence shuts out, and that is trusted not to write.";
    "0716" Warning NoCanary "A side whose closed fence nobody tries.";

    // Approvals.
    "0801" Warning ApprovedTwice "The same person twice for one attempt.";
    "0802" Warning FutureAttempt "An approval for an attempt that has not been declared.";
    "0803" Warning NobodyApproves "A cutover that nobody has to approve.";

    // The file against the one before it.
    "0901" Error RenamedMigration "Another name: that is another migration.";
    "0902" Error IdentityChanged "Another resource, while this migration depends on the first.";
    "0903" Error AttemptLowered "An attempt that was already used.";

    // Pages, upstreams, traffic, and checks as such.
    "1001" Error NotAWebUrl "Not a URL that a web server can be asked for.";
    "1002" Error WrongExpression "A regular expression that is none, or too large.";
    "1003" Error WrongPointer "Not a JSON pointer.";
    "1004" Error WrongHeaderRule "A header that cannot be, or two rules for it that exclude each other.";
    "1005" Error WrongConnection "Not a place that a connection can lead to.";
    "1006" Error CredentialsInPlainText "Credentials that would cross the network in plain text.";
    "1007" Error CheckNamedTwice "Two checks of one name.";
    "1008" Error NothingToWaive "A waiver for a check that is not declared.";
    "1009" Error UnexplainedWaiver "A waiver that does not say who, or why.";
    "1010" Error LegacyHostInUse "A host of the old system that is a name of the new one.";
    "1011" Warning NothingProvesThePath "No page proves that customers would be served.";

    // Caches.
    "1101" Error OpenPlaceholder "A `<` in a key's pattern that opens no placeholder.";
    "1102" Warning CrossSlotOperation "Keys that are used together, and that no hash tag keeps together.";
    "1103" Error AuthorityWithoutTls "A file of authorities for a connection without TLS.";

    // Who is asked for the public name.
    "1201" Error AuthorityAmongResolvers "A server that is asked for its own word and for what it remembers of others'.";
    "1202" Error NobodysAddress "An address that no single server has.";

    // The comparison of both structures.
    "1301" Error NotCompared "Something in a schema that is not compared.";

    // Hooks.
    "1401" Error WrongHookUrl "Not a URL that a hook can be called at.";
    "1402" Warning PlainHook "A hook's call that is not encrypted.";
    "1403" Error HookCannotHold "A hook that nothing can wait for at this point.";
    "1404" Error HookOutlivesPause "A hook that may take too long while customers wait.";
    "1405" Error HookTooSlow "A hook that may take longer than a pass may be held up.";
    "1406" Warning HookInThePause "A hook that the write pause lasts for.";

    // A forced rollback.
    "1501" Error UnexplainedLoss "A loss of writes is accepted, and nobody says who does, or why.";
    "1502" Warning LossOfAnotherAttempt "A loss of writes is accepted for another attempt than the declared one.";
    "1503" Error ForcedPauseTooShort "A forced rollback that has less time than any other.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
