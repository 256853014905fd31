using System.Text;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>White space as Python counts it, by whose rules published scores are made.</summary>
internal static class TextSpaces
{
    /// <summary>Whether a character is white space there: in Unicode, and the four separators of ASCII.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001C' and <= '\u001F';

    /// <summary>How many white characters a text ends with.</summary>
    public static int AtEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
        {
            end--;
        }

        return text.Length - end;
    }

    /// <summary>A text without the white space at both ends.</summary>
    public static string Strip(string text)
    {
        int start = 0, end = text.Length - AtEnd(text);
        while (start < end && IsSpace(text[start]))
        {
            start++;
        }

        return text[start..end];
    }

    /// <summary>Characters, as Unicode counts them.</summary>
    public static int Characters(string text)
    {
        int count = 0;
        foreach (Rune _ in text.EnumerateRunes())
        {
            count++;
        }

        return count;
    }

    /// <summary>The words of a text: the pieces between runs of white space, empty ones at its ends included.</summary>
    public static long Words(string text)
    {
        var counter = new WordCounter();
        counter.Add(text);
        return counter.Words;
    }
}

/// <summary>Counts the words of a text that comes in pieces.</summary>
internal struct WordCounter
{
    private long _runs;
    private bool _isInside;

    /// <summary>Pieces between runs of white space; of an empty text 1.</summary>
    public readonly long Words => _runs + 1;

    /// <summary>Takes the next piece.</summary>
    public void Add(string text)
    {
        foreach (char c in text)
        {
            bool isSpace = TextSpaces.IsSpace(c);
            _runs += isSpace && !_isInside ? 1 : 0;
            _isInside = isSpace;
        }
    }
}
