namespace NanoFold.Engine.Configuration;

/// <summary>A configuration that cannot be used, with every problem found in it. Wrong usage: exit code 2.</summary>
public sealed class ConfigException : UserException
{
    /// <param name="problems">At least one.</param>
    public ConfigException(IReadOnlyList<ConfigProblem> problems)
        : base(string.Join("; ", problems))
    {
        Problems = problems;
        ExitCode = 2;
    }

    /// <summary>What is wrong, in the order of the sections.</summary>
    public IReadOnlyList<ConfigProblem> Problems { get; }
}
