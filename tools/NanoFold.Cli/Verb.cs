namespace NanoFold.Cli;

/// <summary>A verb of the command line.</summary>
/// <param name="Name">As it is typed.</param>
/// <param name="Description">What it does, in a line.</param>
/// <param name="Build">Adds its options, parts and action; called only for the verb that is used.</param>
internal sealed record Verb(string Name, string Description, Action<VerbCommand> Build)
{
    /// <summary>Its command, complete or, for the list of verbs, with its description only.</summary>
    public VerbCommand ToCommand(bool complete)
    {
        var command = new VerbCommand(Name, Description);
        if (complete)
        {
            Build(command);
        }

        return command;
    }
}
