using System.CommandLine;
using NanoFold.Engine.Corpora;

namespace NanoFold.Cli.Options;

/// <summary>The options that say how text is read, for verbs without a configuration.</summary>
internal sealed class TextOptions(VerbCommand command)
{
    public const string SeparatorHelp = "Text between two documents of one file, such as '<|endoftext|>' (data.separator)";
    public const string FieldHelp = "The field of JSON lines or column of Parquet that holds the text; text if not given (data.field)";
    public const string StrictHelp = "Refuse a text of which something cannot be read, instead of a note (data.strict)";

    /// <summary>What goes with <c>--data</c>.</summary>
    public static readonly string[] Names = ["--separator", "--field", "--strict"];

    private readonly Option<string?> _separator = command.Text("--separator", "TEXT", SeparatorHelp);
    private readonly Option<string?> _field = command.Text("--field", "NAME", FieldHelp);
    private readonly Option<bool> _strict = command.Flag("--strict", StrictHelp);

    /// <summary>Says what of a text was not read as it may be meant.</summary>
    public static void Tell(Output output, Corpus corpus)
    {
        foreach (string note in corpus.Notes)
        {
            output.Note(note);
        }
    }

    /// <summary>The first of the options that was given, or null.</summary>
    public string? Given(Invocation invocation)
        => invocation.Get(_separator) is not null ? _separator.Name : invocation.Get(_field) is not null ? _field.Name : invocation.Get(_strict) ? _strict.Name : null;

    /// <summary>What was given; the rest is as in <paramref name="otherwise"/>.</summary>
    public CorpusOptions Reading(Invocation invocation, CorpusOptions? otherwise = null) => new()
    {
        Separator = invocation.Get(_separator) ?? otherwise?.Separator,
        Field = invocation.Get(_field) ?? otherwise?.Field,
        RequiresField = invocation.Get(_field) is not null,
        Strict = invocation.Get(_strict) || otherwise is { Strict: true },
    };
}
