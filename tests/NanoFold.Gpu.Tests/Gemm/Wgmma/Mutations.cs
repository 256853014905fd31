using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>
/// A kernel's text with one thing wrong, for each thing that orders its threads, copies and products: instructions taken out one by one, lanes not chosen,
/// parities, counts, bytes and blocks of a cluster off by something. What is wrong must be seen in at least one of the orders that a device may choose.
/// </summary>
internal static partial class Mutations
{
    // Taken out. Without setmaxnreg.inc the assembler makes do with fewer registers: that is no fault.
    private static readonly string[] s_orders =
    [
        "fence.", "bar.sync", "mbarrier.init", "mbarrier.arrive", "wgmma.fence", "wgmma.commit_group", "wgmma.wait_group",
        "cp.async.bulk.commit_group", "cp.async.bulk.wait_group", "cp.async.bulk.tensor", "setmaxnreg.dec",
        "barrier.cluster", "cp.reduce.async.bulk.tensor",
    ];

    /// <summary>What to call it, and the text.</summary>
    public static IEnumerable<(string Name, string Text)> Of(string text)
    {
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            (string guard, string instruction) = Parts(lines[i]);
            if (IsParity(lines, i) || s_orders.Any(o => instruction.StartsWith(o, StringComparison.Ordinal)))
            {
                yield return ($"without line {i}: {lines[i].Trim()}", Join(lines, i, ""));
                if (guard.Length > 0 && (instruction.StartsWith("mbarrier", StringComparison.Ordinal) || instruction.StartsWith("cp.async.bulk.tensor", StringComparison.Ordinal)))
                {
                    yield return ($"for all lanes, line {i}: {lines[i].Trim()}", Join(lines, i, instruction));
                }
            }

            if (instruction.StartsWith("mbarrier.try_wait", StringComparison.Ordinal))
            {
                yield return ($"not waiting, line {i}: {lines[i].Trim()}", Join(lines, i + 1, ""));
                string parity = instruction[(instruction.LastIndexOf(' ') + 1)..^1];
                yield return ($"the other parity, line {i}: {lines[i].Trim()}", Join(lines, i, $"xor.b32 {parity}, {parity}, 1; \n{lines[i]}\n xor.b32 {parity}, {parity}, 1;"));
            }

            if (instruction.StartsWith("barrier.cluster.arrive", StringComparison.Ordinal))
            {
                yield return ($"not meeting, line {i}", Join([.. lines[..(i + 1)], "", .. lines[(i + 2)..]], i, ""));
            }

            if (instruction.Contains(".multicast::cluster", StringComparison.Ordinal))
            {
                string alone = instruction[..instruction.LastIndexOf(',')].Replace(".multicast::cluster", "", StringComparison.Ordinal);
                yield return ($"to its own block, line {i}: {lines[i].Trim()}", Join(lines, i, $"{guard}{alone};"));
            }

            if (instruction.StartsWith("mapa", StringComparison.Ordinal))
            {
                yield return ($"in its own block, line {i}: {lines[i].Trim()}", Join(lines, i, $"{guard}{Mapped().Replace(instruction, "mov.b32 ${to}, ${from};")}"));
            }

            foreach ((Regex pattern, int[] changes) in Numbers())
            {
                if (pattern.Match(instruction) is { Success: true } match)
                {
                    foreach (int change in changes)
                    {
                        int number = int.Parse(match.Groups["n"].Value, CultureInfo.InvariantCulture) + change;
                        string changed = instruction[..match.Groups["n"].Index] + number.ToString(CultureInfo.InvariantCulture) + instruction[(match.Groups["n"].Index + match.Groups["n"].Length)..];
                        yield return ($"{change:+0;-0}, line {i}: {lines[i].Trim()}", Join(lines, i, guard + changed));
                    }
                }
            }
        }
    }

    /// <summary>Numbers that must be right: arrivals, bytes, threads of a barrier, groups that may be under way.</summary>
    private static (Regex Pattern, int[] Changes)[] Numbers() =>
    [
        (Arrivals(), [1, -1]),
        (Bytes(), [16, -128]),
        (Threads(), [32, -32]),
        (Pending(), [1]),
        (Blocks(), [-1, -2]),
    ];

    /// <summary>A register that a wait uses, turned.</summary>
    private static bool IsParity(string[] lines, int i)
    {
        Match turned = Turn().Match(lines[i]);
        return turned.Success && lines.Any(line => line.Contains("try_wait", StringComparison.Ordinal) && line.EndsWith($", {turned.Groups["r"].Value};", StringComparison.Ordinal));
    }

    private static (string Guard, string Instruction) Parts(string line)
    {
        line = line.Trim();
        int end = line.StartsWith('@') ? line.IndexOf(' ', StringComparison.Ordinal) + 1 : 0;
        return (line[..end], line[end..]);
    }

    private static string Join(string[] lines, int at, string line) => string.Join('\n', [.. lines[..at], line, .. lines[(at + 1)..]]);

    [GeneratedRegex(@"^mbarrier\.init\S+ \S+, (?<n>\d+);")]
    private static partial Regex Arrivals();

    [GeneratedRegex(@"^mbarrier\.arrive\.expect_tx\S+ _, \S+, (?<n>\d+);")]
    private static partial Regex Bytes();

    [GeneratedRegex(@"^bar\.sync \S+, (?<n>\d+);")]
    private static partial Regex Threads();

    [GeneratedRegex(@"^(wgmma\.wait_group\.sync\.aligned|cp\.async\.bulk\.wait_group\S*) (?<n>\d+);")]
    private static partial Regex Pending();

    /// <summary>A mask of blocks of a cluster.</summary>
    [GeneratedRegex(@"^mov\.b16 \S+, (?<n>3);")]
    private static partial Regex Blocks();

    [GeneratedRegex(@"^mapa\S+ (?<to>\S+), (?<from>\S+), \S+;")]
    private static partial Regex Mapped();

    [GeneratedRegex(@"mov\.b32 (?<r>%r\d+), %r\d+;")]
    private static partial Regex Turn();
}
