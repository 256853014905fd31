using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// A SentencePiece model as a <c>tokenizer.json</c>: for other programs the nearest that the format allows, as transformers converts them, and for this one the model's file itself.
/// </summary>
internal static class SentencePieceJson
{
    public static byte[] Write(SentencePieceModel model) => OwnForm.Write(json =>
    {
        string[] texts = [.. model.Pieces.Select(piece => Encoding.UTF8.GetString(piece.Text))];
        int unknown = model.Pieces.ToList().FindIndex(piece => piece.Kind == PieceKind.Unknown);
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < texts.Length; id++)
        {
            if (model.Pieces[id].Kind is PieceKind.Control or PieceKind.Unknown or PieceKind.UserDefined)
            {
                TokenizerJson.WriteSpecial(json, id, texts[id], model.Pieces[id].Kind != PieceKind.UserDefined);
            }
        }

        json.WriteEndArray();
        WriteNormalizer(json, model);
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Metaspace");
        json.WriteString("replacement", "▁");
        json.WriteString("prepend_scheme", !model.AddDummyPrefix || model.WhitespaceAsSuffix ? "never" : model.Method == PieceMethod.Unigram ? "always" : "first");
        json.WriteBoolean("split", model.Method == PieceMethod.Unigram);
        json.WriteEndObject();
        json.WriteNull("post_processor");
        WriteDecoder(json, model);
        json.WriteStartObject("model");
        if (model.Method == PieceMethod.Unigram)
        {
            WriteUnigram(json, model, texts, unknown);
        }
        else
        {
            WriteBpe(json, model, texts, unknown);
        }

        json.WriteEndObject();
        json.WriteStartObject(OwnForm.Key);
        json.WriteBase64String("sentencepiece", SentencePieceFile.Write(model));
        if (!model.AddBos)
        {
            json.WriteBoolean("add_bos", false);
        }

        json.WriteEndObject();
    });

    private static void WriteNormalizer(Utf8JsonWriter json, SentencePieceModel model)
    {
        if (model.CharsMap.IsEmpty)
        {
            json.WriteNull("normalizer");
            return;
        }

        json.WriteStartObject("normalizer");
        json.WriteString("type", "Precompiled");
        json.WriteBase64String("precompiled_charsmap", model.CharsMap.Span);
        json.WriteEndObject();
    }

    private static void WriteDecoder(Utf8JsonWriter json, SentencePieceModel model)
    {
        json.WriteStartObject("decoder");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("decoders");
        json.WriteStartObject();
        json.WriteString("type", "Replace");
        json.WriteStartObject("pattern");
        json.WriteString("String", "▁");
        json.WriteEndObject();
        json.WriteString("content", " ");
        json.WriteEndObject();
        foreach (string type in (string[])["ByteFallback", "Fuse"])
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteEndObject();
        }

        if (model.AddDummyPrefix && !model.WhitespaceAsSuffix)
        {
            json.WriteStartObject();
            json.WriteString("type", "Strip");
            json.WriteString("content", " ");
            json.WriteNumber("start", 1);
            json.WriteNumber("stop", 0);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteUnigram(Utf8JsonWriter json, SentencePieceModel model, string[] texts, int unknown)
    {
        json.WriteString("type", "Unigram");
        json.WriteNumber("unk_id", unknown);
        json.WriteBoolean("byte_fallback", model.ByteFallback);
        json.WriteStartArray("vocab");
        for (int id = 0; id < texts.Length; id++)
        {
            json.WriteStartArray();
            json.WriteStringValue(texts[id]);
            json.WriteFigure(model.Pieces[id].Score);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void WriteBpe(Utf8JsonWriter json, SentencePieceModel model, string[] texts, int unknown)
    {
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", texts[unknown]);
        json.WriteBoolean("fuse_unk", true);
        json.WriteBoolean("byte_fallback", model.ByteFallback);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        var normal = new HashSet<string>();
        for (int id = 0; id < texts.Length; id++)
        {
            json.WriteNumber(texts[id], id);
            if (model.Pieces[id].Kind == PieceKind.Normal)
            {
                normal.Add(texts[id]);
            }
        }

        json.WriteEndObject();
        IEnumerable<int> ordered = Enumerable.Range(0, texts.Length).Where(id => model.Method == PieceMethod.Bpe && model.Pieces[id].Kind == PieceKind.Normal).OrderByDescending(id => model.Pieces[id].Score);
        WriteMerges(json, ordered.Select(id => texts[id]), normal.Contains);
    }

    // All ways to make each token of two, in the order of the tokens.
    private static void WriteMerges(Utf8JsonWriter json, IEnumerable<string> tokens, Func<string, bool> known)
    {
        json.WriteStartArray("merges");
        foreach (string token in tokens)
        {
            for (int at = 1; at < token.Length; at++)
            {
                if (!char.IsLowSurrogate(token[at]) && known(token[..at]) && known(token[at..]))
                {
                    json.WriteStartArray();
                    json.WriteStringValue(token[..at]);
                    json.WriteStringValue(token[at..]);
                    json.WriteEndArray();
                }
            }
        }

        json.WriteEndArray();
    }
}
