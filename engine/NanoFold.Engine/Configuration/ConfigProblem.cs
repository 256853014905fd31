namespace NanoFold.Engine.Configuration;

/// <summary>One thing wrong with a configuration.</summary>
/// <param name="Path">The key, as <c>--set</c> would name it: <c>model.mixer.window</c>.</param>
/// <param name="Message">What was expected and what is there.</param>
/// <param name="Place">The file and line that set it, <c>config.json:12</c>, where it came out of a file.</param>
public sealed record ConfigProblem(string Path, string Message, string? Place = null)
{
    /// <summary>The kind that no record is registered for, where that is what is wrong: a program with parts of its own may have it.</summary>
    public string? UnknownKind { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Place is null ? $"{Path}: {Message}" : $"{Place}: {Path}: {Message}";
}

/// <summary>A record that can say what is inconsistent in it, once each of its values was found to be of its type and within its bounds.</summary>
public interface IValidated
{
    /// <summary>Everything that is inconsistent.</summary>
    IEnumerable<ConfigProblem> Validate();
}

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
