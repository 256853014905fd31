namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>
/// What a template may do: every step counts, and so does what a step goes through. A template is rendered by one thread, whose count this is.
/// </summary>
internal static class Effort
{
    private const long Most = 5_000_000;

    // Characters that count as a step.
    private const int Stride = 4;

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
        _ => 0,
    });

    /// <summary>Throws where a text, or a list, would have too many characters, or elements.</summary>
    public static void RequireRoom(long size)
    {
        if (size > Operators.Most)
        {
            throw Operators.TooLarge();
        }
    }
}
