using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>Reads what a <c>tokenizer.json</c> puts around the ids of a text: its post-processors, truncation and padding.</summary>
internal sealed class FormReader(JsonFields json)
{
    private const int MostPadding = 1 << 20;

    public CompleteForm Read(JsonElement root)
    {
        var before = new List<int>();
        var after = new List<int>();
        foreach (JsonElement part in json.Flat(JsonFields.Part(root, "post_processor"), "processors"))
        {
            Add(part, before, after);
        }

        var form = new CompleteForm { Before = before, After = after };
        if (JsonFields.Part(root, "truncation") is { } cut)
        {
            form = form with { MostIds = json.Count(cut, "max_length", 512), CutsLeft = json.Text(cut, "direction", "Right") == "Left" };
        }

        return JsonFields.Part(root, "padding") is { } padding ? WithPadding(form, padding) : form;
    }

    private CompleteForm WithPadding(CompleteForm form, JsonElement padding)
    {
        int fixedLength = JsonFields.Part(padding, "strategy") is { ValueKind: JsonValueKind.Object } strategy ? json.Count(strategy, "Fixed", 0) : 0;
        int multiple = json.Count(padding, "pad_to_multiple_of", 0);
        if (fixedLength > MostPadding || multiple > MostPadding)
        {
            throw json.Bad($"padding to more than {MostPadding} tokens is not supported");
        }

        return form with
        {
            PadTo = fixedLength,
            PadMultiple = multiple,
            PadId = json.Count(padding, "pad_id", 0),
            PadsLeft = json.Text(padding, "direction", "Right") == "Left",
        };
    }

    // Each puts its ids around those that are there.
    private void Add(JsonElement part, List<int> before, List<int> after)
    {
        switch (JsonFields.TypeOf(part))
        {
            case "ByteLevel":
                break;
            case "BertProcessing" or "RobertaProcessing":
                before.Insert(0, IdOf(part, "cls"));
                after.Add(IdOf(part, "sep"));
                break;
            case "TemplateProcessing":
                Template(part, before, after);
                break;
            case var other:
                throw json.Bad($"post_processor '{other}' is not supported");
        }
    }

    private void Template(JsonElement part, List<int> before, List<int> after)
    {
        bool text = false;
        var front = new List<int>();
        foreach (JsonElement step in json.List(part, "single"))
        {
            if (JsonFields.Part(step, "SpecialToken") is { } special)
            {
                (text ? after : front).AddRange(IdsOf(part, json.Text(JsonFields.Part(special, "id"), "post_processor.id")));
            }
            else if (text)
            {
                throw json.Bad("post_processor TemplateProcessing with the text twice is not supported");
            }
            else
            {
                text = true;
            }
        }

        before.InsertRange(0, front);
    }

    private IEnumerable<int> IdsOf(JsonElement part, string name)
    {
        JsonElement? special = JsonFields.Part(part, "special_tokens") is { } all ? JsonFields.Part(all, name) : null;
        return special is { } found
            ? json.List(found, "ids").Select(id => json.Id(id, "post_processor.special_tokens"))
            : throw json.Bad($"post_processor has no ids for '{name}'");
    }

    private int IdOf(JsonElement part, string key) => JsonFields.Part(part, key) is { ValueKind: JsonValueKind.Array } pair && pair.GetArrayLength() == 2
        ? json.Id(pair[1], $"post_processor.{key}")
        : throw json.Bad($"post_processor has no '{key}'");
}
