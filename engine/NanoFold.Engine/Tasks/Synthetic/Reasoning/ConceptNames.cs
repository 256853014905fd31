namespace NanoFold.Engine.Tasks;

/// <summary>Coined names.</summary>
internal static class ConceptNames
{
    private static readonly string[] s_first = ["bo", "da", "fe", "gi", "ka", "lo", "mu", "ne", "pi", "ro", "su", "ta", "ve", "wi", "ze", "ha"];
    private static readonly string[] s_last = ["rin", "lat", "mok", "sen", "dup", "vix", "gam", "tol", "bek", "nuf"];

    /// <summary>The name of a number; all up to 16,000 are different.</summary>
    public static string Of(int number)
    {
        string name = s_first[number % 16] + s_last[number / 16 % 10];
        return number < 160 ? name : s_first[number / 160 % 16] + (number < 2560 ? "" : s_first[number / 2560 % 16]) + name;
    }
}
