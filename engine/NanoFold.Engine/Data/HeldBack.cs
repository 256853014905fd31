using System.Globalization;
using NanoFold.Engine.Corpora;

namespace NanoFold.Engine.Data;

/// <summary>What of a corpus is held back for validation.</summary>
/// <param name="Documents">Documents, one that is cut included.</param>
/// <param name="AllDocuments">Documents of the corpus.</param>
/// <param name="Bytes">Bytes of text.</param>
/// <param name="AllBytes">Bytes of the corpus.</param>
/// <param name="Names">Of the first of these documents, without the folders that all documents of the corpus have in common.</param>
public sealed record HeldBack(int Documents, int AllDocuments, long Bytes, long AllBytes, IReadOnlyList<string> Names)
{
    internal const string FileName = "validation.txt";
    private const int MostNames = 100, ShownNames = 3;

    internal static HeldBack Of(Split split)
    {
        TextPiece[] all = [.. split.Train, .. split.Validation];
        int common = CommonFolders(all);
        return new HeldBack(
            split.Validation.Count,
            all.Select(piece => piece.Document).Distinct().Count(),
            split.Validation.Sum(piece => piece.Bytes),
            all.Sum(piece => piece.Bytes),
            [.. split.Validation.Take(MostNames).Select(piece => piece.Document.Name[common..].ReplaceLineEndings(" "))]);
    }

    private static int CommonFolders(TextPiece[] pieces)
    {
        string first = pieces.Length > 0 ? pieces[0].Document.Name : "";
        int common = pieces.Aggregate(first.Length, (length, piece) => first.AsSpan(0, length).CommonPrefixLength(piece.Document.Name));
        return first.AsSpan(0, common).LastIndexOfAny('/', '\\') + 1;
    }

    /// <summary>In words: <c>2 of 30 documents are held back, 1,000 of 9,000 bytes: b.txt, k.txt</c>.</summary>
    public override string ToString()
    {
        string bytes = string.Create(CultureInfo.InvariantCulture, $"{Bytes:N0} of {AllBytes:N0} bytes");
        if (AllDocuments == 1)
        {
            return Bytes == 0 ? "nothing is held back" : $"the last {bytes} are held back";
        }

        string names = string.Join(", ", Names.Take(ShownNames));
        string more = Documents > ShownNames ? string.Create(CultureInfo.InvariantCulture, $" and {Documents - ShownNames:N0} more") : "";
        string which = Documents > 0 ? $": {names}{more}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{Documents:N0} of {AllDocuments:N0} documents are held back, {bytes}{which}");
    }

    /// <summary>Writes it into an entry of the token cache: four numbers, then a name a line.</summary>
    internal void Write(string folder)
        => File.WriteAllLines(Path.Combine(folder, FileName), [string.Create(CultureInfo.InvariantCulture, $"{Documents} {AllDocuments} {Bytes} {AllBytes}"), .. Names]);

    /// <summary>Reads what was written.</summary>
    /// <exception cref="UserException">It is damaged.</exception>
    internal static HeldBack Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            string[] lines = File.ReadAllLines(path);
            long[] numbers = [.. lines[0].Split(' ').Select(word => long.Parse(word, NumberStyles.None, CultureInfo.InvariantCulture))];
            return new HeldBack(checked((int)numbers[0]), checked((int)numbers[1]), numbers[2], numbers[3], lines[1..]);
        }
        catch (Exception e) when (FileFault.Is(e) || e is FormatException or OverflowException or IndexOutOfRangeException)
        {
            throw new UserException($"{path}: is damaged: {e.Message}", e);
        }
    }
}
