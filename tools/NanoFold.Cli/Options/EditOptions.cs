namespace NanoFold.Cli.Options;

/// <summary>What options for edits have in common.</summary>
internal static class EditOptions
{
    public const string Help = "An edit of points: a record such as {\"kind\":\"ablate\",\"points\":\"blocks.0.hook_mlp_out\"}, a list of them, or @FILE; see docs/taps.md. May be given several times; all apply, in their order";
}
