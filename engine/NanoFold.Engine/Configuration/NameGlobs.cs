using System.IO.Enumeration;

namespace NanoFold.Engine.Configuration;

/// <summary>Names chosen by patterns with <c>*</c> and <c>?</c>. A pattern that no name matches is a mistake.</summary>
/// <param name="setting">Where the patterns stand, for messages: <c>train.trainable</c>.</param>
/// <param name="globs">The patterns.</param>
public sealed class NameGlobs(string setting, IReadOnlyList<string> globs)
{
    // Whole names are looked up, for there may be as many as a model has parameters.
    private readonly HashSet<string> _names = [.. globs.Where(glob => !IsPattern(glob))];
    private readonly string[] _patterns = [.. globs.Where(IsPattern)];

    /// <summary>No name at all.</summary>
    public static NameGlobs None { get; } = new("none", []);

    public IReadOnlyList<string> Globs => globs;

    /// <summary>Names that are not meant though a pattern matches them; null for none.</summary>
    public NameGlobs? Except { get; init; }

    /// <summary>Whether one of the patterns matches.</summary>
    public bool Matches(string name) => Except?.Matches(name) != true && IsMatched(name);

    private bool IsMatched(string name)
    {
        if (_names.Contains(name))
        {
            return true;
        }

        foreach (string pattern in _patterns)
        {
            if (Matches(pattern, name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Of each pattern that matches none of the names: that it does not, and the nearest name, or some.</summary>
    /// <param name="names">All that could be meant.</param>
    /// <param name="what">What they are names of, as in <c>parameter</c>.</param>
    public IEnumerable<ConfigProblem> Problems(IReadOnlyCollection<string> names, string what)
    {
        HashSet<string> known = [.. names];
        foreach (string glob in globs.Where(glob => IsPattern(glob) ? !names.Any(name => Matches(glob, name)) : !known.Contains(glob)))
        {
            string near = NearestName.Among(glob, Candidates(glob, names)) is { } name ? $"; did you mean '{name}'?"
                : names.Count == 0 ? $": there is no {what}"
                : $"; there are {string.Join(", ", names.Take(3))}{(names.Count > 3 ? " and others" : "")}";
            yield return new ConfigProblem(setting, $"'{glob}' matches no {what}{near}");
        }

        foreach (ConfigProblem problem in Except?.Problems(names, what) ?? [])
        {
            yield return problem;
        }
    }

    /// <summary>Throws where a pattern matches none of the names.</summary>
    /// <inheritdoc cref="Problems"/>
    /// <exception cref="ConfigException">Names the pattern and the nearest name.</exception>
    public void RequireMatches(IReadOnlyCollection<string> names, string what)
    {
        ConfigProblem[] problems = [.. Problems(names, what)];
        if (problems.Length > 0)
        {
            throw new ConfigException(problems);
        }
    }

    private static bool IsPattern(string glob) => glob.AsSpan().ContainsAny('*', '?', '\\');

    private static bool Matches(string glob, string name) => FileSystemName.MatchesSimpleExpression(glob, name, ignoreCase: false);

    // A pattern is put right by a pattern: numbers of layers become *, and so does what follows the part that it names.
    private static IEnumerable<string> Candidates(string glob, IReadOnlyCollection<string> names)
    {
        if (!glob.AsSpan().ContainsAny('*', '?'))
        {
            return names;
        }

        IEnumerable<string[]> parts = names.Select(name => Array.ConvertAll(name.Split('.'), part => part.All(char.IsAsciiDigit) ? "*" : part));
        int count = glob.Split('.').Length;
        return parts.Select(part => part.Length <= count || !glob.EndsWith('*') ? part : [.. part.Take(count - 1), "*"]).Select(part => string.Join('.', part)).Distinct();
    }
}
