using System.Text;

namespace NanoFold.Engine.Text.Chat;

/// <summary>Which tokens of a text stand for which part of it.</summary>
internal static class TokenSpans
{
    // How far a token is looked for where a tokenizer changed the text.
    private const int Reach = 64;

    /// <summary>Which tokens are within the spans of a conversation: from the first that has a part of a span to the last.</summary>
    public static bool[] Mask(Tokenizer tokenizer, ReadOnlySpan<int> ids, RenderedChat rendered)
    {
        (int Start, int End)[] places = Places(tokenizer, ids, rendered.Text);
        var mask = new bool[ids.Length];
        foreach ((int start, int end) in rendered.Spans)
        {
            int from = Encoding.UTF8.GetByteCount(rendered.Text.AsSpan(0, start)), to = from + Encoding.UTF8.GetByteCount(rendered.Text.AsSpan(start, end - start));
            int first = Array.FindIndex(places, place => place.Start < to && place.End > from), last = Array.FindLastIndex(places, place => place.Start < to && place.End > from);
            for (int i = Math.Max(0, first); i <= last; i++)
            {
                mask[i] = true;
            }
        }

        return mask;
    }

    // The bytes [start, end) of the text that each token stands for.
    private static (int Start, int End)[] Places(Tokenizer tokenizer, ReadOnlySpan<int> ids, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var names = tokenizer.Specials.ToDictionary(special => special.Id, special => Encoding.UTF8.GetBytes(special.Name));
        var places = new (int Start, int End)[ids.Length];
        int at = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            ReadOnlySpan<byte> bytes = names.TryGetValue(ids[i], out byte[]? name) ? name : tokenizer.BytesOf(ids[i]);
            ReadOnlySpan<byte> rest = utf8.AsSpan(at);
            if (!rest.StartsWith(bytes))
            {
                // A space that the tokenizer put there is none of the text's.
                bytes = bytes is [(byte)' ', ..] && (rest is [] || rest[0] != ' ') ? bytes[1..] : bytes;
                int ahead = rest.StartsWith(bytes) ? 0 : rest[..Math.Min(rest.Length, bytes.Length + Reach)].IndexOf(bytes);
                at += Math.Max(0, ahead);
                bytes = ahead < 0 ? [] : bytes;
            }

            places[i] = (at, at + bytes.Length);
            at += bytes.Length;
        }

        return places;
    }
}
