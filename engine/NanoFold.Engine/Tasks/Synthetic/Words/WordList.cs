namespace NanoFold.Engine.Tasks;

/// <summary>Words such that each ends with a letter that others begin with, in alphabetical order.</summary>
internal static class WordList
{
    private const string All =
        "acorn alarm amber angel apple area arrow attic banana bell bird bottle bread brick cactus camel candle circle cloud corn dance desert dog door drum dust "
        + "eagle east echo egg elbow enemy engine error farm field fish flag flute forest garden glass goat gold grape green hammer hat hill honey horse house "
        + "ice idea ink insect iron island jacket jar juice jungle kettle king kitchen kite knot ladder lake lamp leaf lemon light map market melon mirror moon mountain "
        + "name needle nest night north number oak ocean onion orange oven owl paper parrot path pencil plum pond queen quill quilt rabbit rain ring river road roof "
        + "sand ship silver spoon stone storm table tent tiger tower train tree umbrella uncle unit urn valley vase violin voice water wheel window winter wolf wood "
        + "yard yarn year yeast yellow zebra zero zoo";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> Words { get; } = All.Split(' ');

    /// <summary>Where the words that begin with a letter begin, and how many there are.</summary>
    public static (int First, int Count) BeginningWith(char letter) => s_beginnings[letter - 'a'];

    // By letter.
    private static readonly (int First, int Count)[] s_beginnings =
        [.. Enumerable.Range('a', 26).Select(letter => (Words.TakeWhile(word => word[0] < letter).Count(), Words.Count(word => word[0] == letter)))];
}

/// <summary>Names that are no words, for people and concepts.</summary>
internal static class CoinedNames
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
