namespace NanoFold.Engine.Text;

/// <summary>What a tokenizer's file wants done to the ids of a whole text: ids around them, a length at most, and padding.</summary>
internal sealed record CompleteForm
{
    /// <summary>Ids before those of the text.</summary>
    public IReadOnlyList<int> Before { get; init; } = [];

    /// <summary>Ids after those of the text.</summary>
    public IReadOnlyList<int> After { get; init; } = [];

    /// <summary>Ids at most, those around the text among them.</summary>
    public int? MostIds { get; init; }

    /// <summary>What is too much goes from the start.</summary>
    public bool CutsLeft { get; init; }

    /// <summary>Padded to so many ids.</summary>
    public int PadTo { get; init; }

    /// <summary>Padded to a multiple of it.</summary>
    public int PadMultiple { get; init; }

    /// <summary>What is padded with.</summary>
    public int PadId { get; init; }

    /// <summary>Padding stands before the text.</summary>
    public bool PadsLeft { get; init; }

    /// <summary>The ids as the program that wrote the file would give them.</summary>
    public int[] Apply(List<int> ids, bool around)
    {
        int most = MostIds is { } limit ? Math.Max(0, limit - (around ? Before.Count + After.Count : 0)) : int.MaxValue;
        IEnumerable<int> kept = ids.Count <= most ? ids : CutsLeft ? ids.Skip(ids.Count - most) : ids.Take(most);
        List<int> all = around ? [.. Before, .. kept, .. After] : [.. kept];
        int length = Math.Max(all.Count, PadTo);
        length = PadMultiple > 0 ? (length + PadMultiple - 1) / PadMultiple * PadMultiple : length;
        int[] padding = [.. Enumerable.Repeat(PadId, length - all.Count)];
        return PadsLeft ? [.. padding, .. all] : [.. all, .. padding];
    }
}
