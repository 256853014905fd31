namespace NanoFold.Engine.Configuration;

/// <summary>One thing wrong with a configuration.</summary>
/// <param name="Path">The key, as <c>--set</c> would name it: <c>model.mixer.window</c>.</param>
/// <param name="Message">What was expected and what is there.</param>
public sealed record ConfigProblem(string Path, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Path}: {Message}";
}
