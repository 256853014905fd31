using System.Globalization;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>A class for each of some tokens. Of every probe there are <see cref="Token"/>, <see cref="Next"/> and <see cref="Position"/>; a task that labels its places and a file of labels add more.</summary>
/// <param name="Name">As in <c>token</c>, or <c>partOfSpeech</c>.</param>
/// <param name="Classes">What the classes are called, by their number; empty where their numbers are those of tokens.</param>
/// <param name="Values">The class of each token, −1 for none.</param>
public sealed record LabelColumn(string Name, IReadOnlyList<string> Classes, int[] Values)
{
    /// <summary>The token itself.</summary>
    public const string Token = "token";

    /// <summary>The token that comes next, or what the task asks for at the place; −1 where it asks nothing.</summary>
    public const string Next = "next";

    /// <summary>Positions 0, 1, 2–3, 4–7, 8–15 and so on.</summary>
    public const string Position = "position";

    /// <summary>Those that there always are, of a batch [B, T].</summary>
    /// <param name="tokens">[B, T].</param>
    /// <param name="targets">[B, T]; empty for the next token of the row.</param>
    /// <param name="time">T.</param>
    public static IReadOnlyList<LabelColumn> Always(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, int time)
    {
        var next = new int[tokens.Length];
        var bins = new int[tokens.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            next[i] = !targets.IsEmpty ? targets[i] : (i + 1) % time > 0 ? tokens[i + 1] : -1;
            bins[i] = Bin(i % time);
        }

        string[] names = [.. Enumerable.Range(0, Bin(time - 1) + 1).Select(NameOfBin)];
        return [new(Token, [], tokens.ToArray()), new(Next, [], next), new(Position, names, bins)];
    }

    /// <summary>The classes of some of the tokens only.</summary>
    public LabelColumn At(ReadOnlySpan<int> rows)
    {
        var values = new int[rows.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Values[rows[i]];
        }

        return this with { Values = values };
    }

    private static int Bin(int position) => position == 0 ? 0 : int.Log2(position) + 1;

    private static string NameOfBin(int bin) => bin < 2
        ? bin.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{1 << (bin - 1)}–{(1 << bin) - 1}");
}
