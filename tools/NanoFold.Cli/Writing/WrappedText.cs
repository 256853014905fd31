using System.Globalization;
using System.Text;

namespace NanoFold.Cli.Writing;

/// <summary>
/// Text that comes in pieces, in lines of whole words where a terminal is narrower: a word is written when it is known to have ended. Characters two columns wide may stand
/// at the end of a line each. A width of 0 is of no terminal: the text is written as it comes.
/// </summary>
internal sealed class WrappedText(TextWriter writer, int width)
{
    // First and last code points of what terminals show two columns wide.
    private static readonly (int First, int Last)[] s_wide =
    [
        (0x1100, 0x115F), (0x2E80, 0x303E), (0x3041, 0xA4CF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFF60), (0xFFE0, 0xFFE6), (0x1F300, 0x1F64F),
        (0x1F900, 0x1F9FF), (0x20000, 0x3FFFD),
    ];

    private readonly StringBuilder _space = new(), _word = new();
    private int _column, _wordWidth;

    /// <summary>Takes the next piece.</summary>
    public void Write(string text)
    {
        if (width <= 0)
        {
            writer.Write(text);
        }
        else
        {
            foreach (Rune rune in text.EnumerateRunes())
            {
                Take(rune);
            }
        }

        writer.Flush();
    }

    /// <summary>There is no more: what is there is written.</summary>
    public void End()
    {
        Put();
        writer.Flush();
    }

    private void Take(Rune rune)
    {
        switch (rune.Value)
        {
            case '\n':
                Put();
                _space.Clear();
                writer.Write('\n');
                _column = 0;
                break;
            case ' ':
                Put();
                _space.Append(' ');
                break;
            default:
                int columns = Columns(rune);
                if (columns == 2 || _wordWidth >= width)
                {
                    Put();
                }

                _word.Append(rune.ToString());
                _wordWidth += columns;
                if (columns == 2)
                {
                    Put();
                }

                break;
        }
    }

    // The word, after the space before it or in a new line in its place.
    private void Put()
    {
        if (_word.Length == 0)
        {
            return;
        }

        if (_column > 0 && _column + _space.Length + _wordWidth > width)
        {
            writer.Write('\n');
            _column = 0;
        }
        else
        {
            writer.Write(_space);
            _column += _space.Length;
        }

        writer.Write(_word);
        _column += _wordWidth;
        _space.Clear();
        _word.Clear();
        _wordWidth = 0;
    }

    private static int Columns(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format ? 0
        : Array.Exists(s_wide, range => rune.Value >= range.First && rune.Value <= range.Last) ? 2 : 1;
}
