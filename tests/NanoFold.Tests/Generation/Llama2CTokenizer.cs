using System.Globalization;
using System.Text;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Generation;

/// <summary>
/// llama2.c's tokenizer file: the longest token's length, then score (float32), length and bytes of each token. 0 is unknown, 1 BOS, 2 EOS,
/// 3 to 258 are single bytes. Text gets a space before it; of all neighbors that join to a token those of the best score join first.
/// </summary>
internal sealed class Llama2CTokenizer : Tokenizer
{
    private const int FirstByte = 3;

    private readonly byte[][] _tokens;
    private readonly float[] _scores;
    private readonly Dictionary<string, int> _ids = [];

    private Llama2CTokenizer(byte[][] tokens, float[] scores)
        : base(tokens.Length, bos: 1, eos: 2)
    {
        _tokens = tokens;
        _scores = scores;
        for (int id = 0; id < tokens.Length; id++)
        {
            // Where bytes are there twice, as a byte and as a character, text is made of the character.
            _ids[Encoding.Latin1.GetString(tokens[id])] = id;
        }
    }

    public override string Name => "llama2.c";

    public static Llama2CTokenizer Read(string path, int vocab)
    {
        byte[] file = File.ReadAllBytes(path);
        var tokens = new List<byte[]>();
        var scores = new List<float>();
        int at = sizeof(int);
        while (tokens.Count < vocab)
        {
            int length = at + 8 <= file.Length ? BitConverter.ToInt32(file, at + 4) : -1;
            if (length < 0 || length > file.Length - at - 8)
            {
                throw new InvalidDataException($"{path}: ends within token {tokens.Count} of {vocab}");
            }

            scores.Add(BitConverter.ToSingle(file, at));
            tokens.Add(BytesOf(tokens.Count, file.AsSpan(at + 8, length)));
            at += 8 + length;
        }

        return new Llama2CTokenizer([.. tokens], [.. scores]);
    }

    public override void Encode(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        List<int> text = [];
        string characters = utf8.IsEmpty ? "" : " " + Encoding.UTF8.GetString(utf8);
        foreach (Rune rune in characters.EnumerateRunes())
        {
            byte[] bytes = Encoding.UTF8.GetBytes(rune.ToString());
            text.AddRange(_ids.TryGetValue(Encoding.Latin1.GetString(bytes), out int id) ? [id] : bytes.Select(b => b + FirstByte));
        }

        while (BestPair(text) is { } pair)
        {
            text[pair.At] = pair.Id;
            text.RemoveAt(pair.At + 1);
        }

        ids.AddRange(text);
    }

    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        CheckId(id);
        return _tokens[id];
    }

    public override byte[] Serialize() => [.. _tokens.SelectMany(token => token)];

    private static byte[] BytesOf(int id, ReadOnlySpan<byte> piece) => id < FirstByte
        ? []
        : id < FirstByte + 256
            ? [byte.Parse(Encoding.ASCII.GetString(piece)[3..5], NumberStyles.HexNumber, CultureInfo.InvariantCulture)]
            : piece.ToArray();

    private (int At, int Id)? BestPair(List<int> text)
    {
        (int At, int Id)? best = null;
        for (int i = 0; i + 1 < text.Count; i++)
        {
            string joined = Encoding.Latin1.GetString([.. _tokens[text[i]], .. _tokens[text[i + 1]]]);
            if (_ids.TryGetValue(joined, out int id) && (best is null || _scores[id] > _scores[best.Value.Id]))
            {
                best = (i, id);
            }
        }

        return best;
    }
}
