using System.CommandLine;
using NanoFold.Engine.Runs.Interventions;
using NanoFold.Engine.Taps;

namespace NanoFold.Cli.Options;

/// <summary>The option that names edits of points.</summary>
internal sealed class EditOptions(VerbCommand command)
{
    private readonly Option<string[]> _edits = command.Texts(
        "--edit",
        "JSON",
        "An edit of points: a record such as {\"kind\":\"ablate\",\"points\":\"blocks.0.hook_mlp_out\"}, a list of them, or @FILE; see docs/taps.md. May be given several times; all apply, in their order");

    /// <summary>The edits that were given, in their order.</summary>
    /// <exception cref="NanoFold.Engine.UserException">One of them cannot be read.</exception>
    public IReadOnlyList<EditConfig> Edits(Invocation invocation) => EditList.Read(invocation.Get(_edits) ?? []);
}
