using System.Text.RegularExpressions;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>The text of a kernel whose blocks add to dq by turns, with one thing wrong that orders them.</summary>
internal static partial class TurnMutations
{
    /// <summary>What to call it, and the text.</summary>
    /// <param name="text">As it is.</param>
    /// <param name="isTaken">Of an instruction without its guard: whether it is taken out. Waits for a turn are, each for itself.</param>
    public static IEnumerable<(string Name, string Text)> Of(string text, Func<string, bool> isTaken)
    {
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string instruction = Guard().Replace(lines[i].Trim(), "");
            bool isWait = instruction.StartsWith("bra", StringComparison.Ordinal) && lines[i - 1].Contains("vote.sync", StringComparison.Ordinal);
            if (isTaken(instruction) || isWait)
            {
                yield return ($"without line {i}: {lines[i].Trim()}", With(i, ""));
            }

            if (instruction.StartsWith("ld.acquire", StringComparison.Ordinal) || instruction.StartsWith("red.release", StringComparison.Ordinal))
            {
                yield return ($"relaxed, line {i}: {lines[i].Trim()}", With(i, lines[i].Replace(".acquire.", ".relaxed.", StringComparison.Ordinal).Replace(".release.", ".relaxed.", StringComparison.Ordinal)));
            }
        }

        string With(int at, string line) => string.Join('\n', [.. lines[..at], line, .. lines[(at + 1)..]]);
    }

    /// <summary>The first block of keys first: it waits for those after it, which cannot start before it ends.</summary>
    public static string FirstBlockFirst(string text) => CountedFromTheLast().Replace(text, "mov.b32 ${block}, ${rest};");

    [GeneratedRegex(@"^@!?%p\d+ ")]
    private static partial Regex Guard();

    [GeneratedRegex(@"(?<=rem\.u32 (?<rest>%r\d+), %r\d+, %r\d+;\s+)sub\.s32 (?<block>%r\d+), %r\d+, \k<rest>;")]
    private static partial Regex CountedFromTheLast();
}
