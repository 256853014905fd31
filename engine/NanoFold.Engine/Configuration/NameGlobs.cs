using System.IO.Enumeration;

namespace NanoFold.Engine.Configuration;

/// <summary>Names chosen by patterns with <c>*</c> and <c>?</c>. A pattern that no name matches is a mistake.</summary>
/// <param name="setting">Where the patterns stand, for messages: <c>train.trainable</c>.</param>
/// <param name="globs">The patterns.</param>
public sealed class NameGlobs(string setting, IReadOnlyList<string> globs)
{
    /// <summary>No name at all.</summary>
    public static NameGlobs None { get; } = new("none", []);

    public IReadOnlyList<string> Globs => globs;

    /// <summary>Whether one of the patterns matches.</summary>
    public bool Matches(string name)
    {
        foreach (string glob in globs)
        {
            if (Matches(glob, name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Throws where a pattern matches none of the names.</summary>
    /// <param name="names">All that could be meant.</param>
    /// <param name="what">What they are names of, as in <c>parameter</c>.</param>
    /// <exception cref="UserException">Names the nearest, or some.</exception>
    public void RequireMatches(IReadOnlyCollection<string> names, string what)
    {
        foreach (string glob in globs.Where(glob => !names.Any(name => Matches(glob, name))))
        {
            string near = NearestName.Among(glob, Candidates(glob, names)) is { } name ? $"; did you mean '{name}'?"
                : names.Count == 0 ? $": there is no {what}"
                : $"; there are {string.Join(", ", names.Take(3))}{(names.Count > 3 ? " and others" : "")}";
            throw UserException.Usage($"{setting}: '{glob}' matches no {what}{near}");
        }
    }

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
