namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>
/// What a template may do: every step counts, and so does what a step goes through. A template is rendered by one thread, whose count this is.
/// </summary>
internal static class Effort
{
    private const long Most = 5_000_000;

    // Powers of two: characters that count as a step where they are gone through, and where they are compared.
    private const int Stride = 4, SearchStride = 14;

    [ThreadStatic]
    private static long s_spent;

    /// <summary>A template begins.</summary>
    public static void Begin() => s_spent = 0;

    /// <summary>Counts steps; throws where there are too many.</summary>
    public static void Spend(long steps = 1)
    {
        s_spent += steps;
        if (s_spent > Most)
        {
            throw new JinjaException(JinjaException.LimitKind, "does too much");
        }
    }

    /// <summary>Counts what going through a value takes.</summary>
    public static void SpendOn(object? value) => Spend(value switch
    {
        string text => text.Length >> Stride,
        SafeText safe => safe.Text.Length >> Stride,
        List<object?> list => list.Count,
        JinjaTuple tuple => tuple.Items.Length,
        JinjaDict dict => dict.Count,
        DictView view => view.Dict.Count,
        JinjaRange range => range.Count,
        JinjaBytes bytes => bytes.Bytes.Length >> Stride,
        _ => 0,
    });

    /// <summary>Counts what looking for a part of a text may take: at worst the part is compared almost to its end at every place.</summary>
    public static void SpendOnSearch(string text, string part) => Spend((text.Length >> Stride) + (((long)text.Length * part.Length) >> SearchStride));

    /// <summary>Throws where a text, or a list, would have too many characters, or elements.</summary>
    public static void RequireRoom(long size)
    {
        if (size > Operators.Most)
        {
            throw Operators.TooLarge();
        }
    }
}
