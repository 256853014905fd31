using NanoFold.Engine;

namespace NanoFold.Cli.Commands.Words;

/// <summary>Pairs of words that relations join, a line each.</summary>
internal static class RelationFile
{
    /// <summary>Reads a file of a relation's name and two words, with tabs between them.</summary>
    /// <exception cref="UserException">It cannot be read, or a line is wrong.</exception>
    public static IReadOnlyList<(string Name, string A, string B)> Read(string path)
    {
        string[] lines = FileFault.ReadLines(path);
        List<(string, string, string)> pairs = [];
        for (int line = 0; line < lines.Length; line++)
        {
            if (lines[line].Length > 0)
            {
                pairs.Add(lines[line].Split('\t') is [{ Length: > 0 } name, { Length: > 0 } a, { Length: > 0 } b]
                    ? (name, a, b)
                    : throw new UserException($"{path}:{line + 1}: expected the name of a relation and two words, with tabs between them"));
            }
        }

        return pairs.Count > 0 ? pairs : throw new UserException($"{path}: has no lines");
    }
}
