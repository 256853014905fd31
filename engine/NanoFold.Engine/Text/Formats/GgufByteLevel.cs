using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// Byte-level BPE from the metadata of a GGUF file. All but its tables is said as a <c>tokenizer.json</c>; the tables, a hundred thousand texts, are taken as they are, and
/// written only where the file is wanted.
/// </summary>
internal sealed class GgufByteLevel(GgufVocabulary vocabulary, string[] patterns)
{
    private readonly string[] _texts = [.. vocabulary.Tokens.Select(Encoding.UTF8.GetString)];

    /// <exception cref="FormatException">Its tables are damaged.</exception>
    /// <exception cref="UserException">Something else is.</exception>
    public Tokenizer Read(string path)
    {
        var tokens = new Dictionary<string, int>(_texts.Length);
        for (int id = 0; id < _texts.Length; id++)
        {
            if (!tokens.TryAdd(_texts[id], id))
            {
                throw new FormatException($"has the token '{_texts[id]}' twice");
            }
        }

        var merges = new MergeList(tokens);
        foreach (string merge in vocabulary.Merges)
        {
            int space = SpaceIn(merge);
            if (!merges.TryAdd(merge.AsSpan(0, space), merge.AsSpan(Math.Min(space + 1, merge.Length))))
            {
                throw new FormatException(merges.Fault(merge));
            }
        }

        using JsonDocument head = JsonDocument.Parse(AsJson(tables: false));
        return new PipelineReader(path).Read(head.RootElement, () => AsJson(tables: true), new BpeTables(tokens, merges.Merges));
    }

    // Between two tokens, of which the left one may begin with a space.
    private static int SpaceIn(string merge) => merge.Length > 1 && merge.IndexOf(' ', 1) is > 0 and var space ? space : merge.Length;

    private byte[] AsJson(bool tables) => OwnForm.Write(json =>
    {
        json.WriteStartArray("added_tokens");
        foreach (int id in Enumerable.Range(0, _texts.Length).Where(id => vocabulary.KindOf(id) is GgufVocabulary.Control or GgufVocabulary.UserDefined && _texts[id].Length > 0))
        {
            TokenizerJson.WriteSpecial(json, id, _texts[id], vocabulary.KindOf(id) == GgufVocabulary.Control);
        }

        json.WriteEndArray();
        json.WriteNull("normalizer");
        OwnForm.WriteSplits(json, patterns);
        WriteStart(json);
        TokenizerJson.WriteByteLevel(json, "decoder");
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteBoolean("ignore_merges", GgufPatterns.IgnoresMerges(vocabulary.Pre));
        if (tables)
        {
            WriteTables(json);
        }

        json.WriteEndObject();
        json.WriteStartObject(OwnForm.Key);
        OwnForm.WriteMark(json, "bos", vocabulary.Bos);
        OwnForm.WriteMark(json, "eos", vocabulary.Eos);
        json.WriteEndObject();
    });

    private void WriteTables(Utf8JsonWriter json)
    {
        json.WriteStartObject("vocab");
        for (int id = 0; id < _texts.Length; id++)
        {
            json.WriteNumber(_texts[id], id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (string merge in vocabulary.Merges)
        {
            int space = SpaceIn(merge);
            json.WriteStartArray();
            json.WriteStringValue(merge.AsSpan(0, space));
            json.WriteStringValue(merge.AsSpan(Math.Min(space + 1, merge.Length)));
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    // What stands before a prompt; an empty sequence says that nothing does.
    private void WriteStart(Utf8JsonWriter json)
    {
        json.WriteStartObject("post_processor");
        if (vocabulary.AddBos != true || vocabulary.Bos is not { } bos)
        {
            json.WriteString("type", "Sequence");
            json.WriteStartArray("processors");
            json.WriteEndArray();
            json.WriteEndObject();
            return;
        }

        OwnForm.WriteTemplate(json, bos, _texts[bos]);
        json.WriteEndObject();
    }
}
