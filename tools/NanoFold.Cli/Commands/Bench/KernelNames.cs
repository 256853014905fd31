using System.IO.Enumeration;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;

namespace NanoFold.Cli.Commands.Bench;

/// <summary>Finds cases by what is typed.</summary>
internal static class KernelNames
{
    /// <summary>The cases at the presets' shapes, and those of the tests where asked for, that <paramref name="wanted"/> means.</summary>
    public static OpCase[] Select(string verb, string? wanted, bool tests)
    {
        if (wanted is null)
        {
            throw UserException.Usage($"{verb}: NAME is missing; {verb} --list lists the cases");
        }

        OpCase[] all = [.. SpeedCases.All, .. OpCases.All];
        OpCase[] offered = tests ? all : [.. SpeedCases.All];
        OpCase[] found = [.. offered.Where(c => IsMeant(wanted, c.Name))];
        found = found.Length > 0 ? found : [.. all.Where(c => c.Name == wanted)];
        if (found.Length > 0)
        {
            return found;
        }

        string? near = NearestName.Among(wanted, offered.SelectMany(c => Beginnings(c.Name)).Distinct());
        throw UserException.Usage($"{verb}: no case is called '{wanted}'; {(near is null ? "" : $"did you mean '{near}'? ")}{verb} --list lists them");
    }

    // Only * and ? are special: names have brackets.
    private static bool IsMeant(string wanted, string name) =>
        wanted.AsSpan().ContainsAny('*', '?')
            ? FileSystemName.MatchesSimpleExpression(wanted, name)
            : Beginnings(name).Contains(wanted);

    // "linear", "linear small", "linear small up", … and the whole.
    private static IEnumerable<string> Beginnings(string name) =>
        Enumerable.Range(0, name.Length + 1).Where(i => i > 0 && (i == name.Length || name[i] == ' ')).Select(i => name[..i]);
}
