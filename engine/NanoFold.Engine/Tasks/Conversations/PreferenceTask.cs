using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Tasks;

/// <summary>Pairs of answers from files, against a reference whose log-probabilities are computed once (<see cref="EncodedPairs.Reference"/>).</summary>
internal sealed class PreferenceTask : PreferenceLearning
{
    private readonly TaskContext _context;
    private readonly int _time;

    private PreferenceTask(PreferenceConfig config, TaskContext context, Tokenizer tokenizer, Text.Chat.ChatTemplate template, string name, EncodedPairs train, EncodedPairs validation)
        : base(config, context.Model)
    {
        (_context, _time, Train, Validation, OfText, Name) = (context, context.Model.Context, train, validation, tokenizer, name);
        ChatTemplate = template.IsPlain ? null : template.Source;
        foreach (EncodedPairs pairs in new[] { Train, Validation })
        {
            pairs.Lay(_time);
        }
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    internal override Tokenizer OfText { get; }

    /// <inheritdoc/>
    internal override string? ChatTemplate { get; }

    /// <inheritdoc/>
    public override int Vocab => OfText.Vocab;

    /// <inheritdoc/>
    public override string ContentHash => Convert.ToHexStringLower(SHA256.HashData([.. Train.Hash, .. Validation.Hash]));

    /// <summary>Pairs to train on.</summary>
    internal EncodedPairs Train { get; }

    /// <summary>Pairs that are held back.</summary>
    internal EncodedPairs Validation { get; }

    /// <inheritdoc/>
    protected override int MostPairs => Math.Max(Train.Rows.Most, Validation.Rows.Most);

    /// <inheritdoc/>
    public override string? Doubt => _context.Data is { Validation: null, ValidationFraction: 0 } || Validation.Count > 0 ? null
        : $"{Name}: has too few pairs to hold some back, so there will be no validation loss: use more, or a file of its own (data.validation)";

    private EncodedPairs Measured => Validation.Count > 0 ? Validation : Train;

    /// <summary>Reads, writes out and tokenizes all pairs.</summary>
    public static PreferenceTask Open(PreferenceConfig config, TaskContext context)
    {
        (string path, Tokenizer tokenizer, Text.Chat.ChatTemplate template) = ConversationSource.Open(config.Kind, config.Template, context);
        if (context.Data.Replay is not null)
        {
            throw UserException.Usage($"data.replay: belongs to tasks whose loss is that of a text; leave it out with task \"{config.Kind}\"");
        }

        (EncodedPairs train, EncodedPairs validation) = ConversationSource.Split(
            context, path, (records, name) => EncodedPairs.Of(records, tokenizer, template, context.Model.Context, config.PerToken, name, context.Note));
        return new PreferenceTask(config, context, tokenizer, template, path, train, validation);
    }

    /// <inheritdoc/>
    public override long Places(TaskSplit split) => (long)_time * split switch
    {
        TaskSplit.Training => Train.Rows.Count,
        TaskSplit.Validation => Validation.Rows.Count,
        _ => Measured.Rows.Count,
    };

    /// <inheritdoc/>
    public override int Fill(in RowKey key, in BatchRow row)
    {
        EncodedPairs from = key.Split switch { TaskSplit.Training => Train, TaskSplit.Validation => Validation, _ => Measured };
        return Fill(from, key.Split == TaskSplit.Training ? from.Rows.RowOf(key, _context.Accumulate, _context.Seed) : (int)key.Number, row);
    }

    /// <summary>Fills a row of some pairs by its number.</summary>
    internal static int Fill(EncodedPairs from, int number, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        Span<int> documents = row.Integers(BatchField.Documents), positions = row.Integers(BatchField.Positions);
        Span<float> answers = row.Reals(Answers), reference = row.Reals(Reference), pairs = row.Reals(Pairs);
        ReadOnlySpan<int> own = from.Rows[number];
        int at = 0;
        for (int p = 0; p < own.Length; p++)
        {
            for (int side = 0; side < 2; side++)
            {
                (int[] ids, bool[] counts, float weight) = from.Answer(own[p], side);
                for (int i = 0; i + 1 < ids.Length; i++, at++)
                {
                    tokens[at] = ids[i];
                    if (!documents.IsEmpty)
                    {
                        documents[at] = (2 * p) + side;
                    }

                    if (!positions.IsEmpty)
                    {
                        positions[at] = i;
                    }

                    if (counts[i + 1])
                    {
                        targets[at] = ids[i + 1];
                        if (!answers.IsEmpty)
                        {
                            answers[(((2 * p) + side) * tokens.Length) + at] = weight;
                        }
                    }
                }

                if (!reference.IsEmpty)
                {
                    reference[(2 * p) + side] = from.Reference[(2 * own[p]) + side];
                }
            }

            if (!pairs.IsEmpty)
            {
                pairs[p] = 1;
            }
        }

        return own.Length;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Show(in BatchRow row)
    {
        ReadOnlySpan<int> tokens = row.Integers(BatchField.Tokens), documents = row.Integers(BatchField.Documents);
        var lines = new List<string>();
        for (int start = 0, end; start < tokens.Length && documents[start] >= 0; start = end)
        {
            for (end = start + 1; end < tokens.Length && documents[end] == documents[start]; end++)
            {
            }

            lines.Add($"{(documents[start] % 2 == 0 ? "chosen" : "rejected")}: {OfText.DecodeText(tokens[start..end])}");
        }

        return lines;
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Describe()
    {
        yield return string.Create(CultureInfo.InvariantCulture, $"{Name}: {Train.Count:N0} pairs in {Train.Rows.Count:N0} rows of {_time}");
        yield return string.Create(CultureInfo.InvariantCulture, $"validation: {Validation.Count:N0} pairs in {Validation.Rows.Count:N0} rows");
    }
}

/// <summary>Pairs as tokens, each answer after its prompt, and what the reference gave them.</summary>
internal sealed class EncodedPairs
{
    private readonly List<(int[] Ids, bool[] Counts, float Weight)> _answers = [];

    /// <summary>How many.</summary>
    public int Count => _answers.Count / 2;

    /// <summary>Once they are laid.</summary>
    public PackedRows Rows { get; private set; } = null!;

    /// <summary>−ln p of the reference, summed or averaged as the loss has it: of pair i at 2i and 2i + 1.</summary>
    public float[] Reference { get; private set; } = [];

    /// <summary>SHA-256 of what they are.</summary>
    public byte[] Hash
    {
        get
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach ((int[] ids, bool[] counts, float weight) in _answers)
            {
                hash.AppendData(BitConverter.GetBytes(ids.Length));
                hash.AppendData(MemoryMarshal.AsBytes(ids.AsSpan()));
                hash.AppendData(MemoryMarshal.AsBytes(counts.AsSpan()));
                hash.AppendData(BitConverter.GetBytes(weight));
            }

            return hash.GetHashAndReset();
        }
    }

    /// <summary>Tokenizes them; pairs that do not fit into a row, or whose answers are the same, are left out, with a note.</summary>
    /// <exception cref="UserException">A pair is none, or its template fails; or none is left.</exception>
    public static EncodedPairs Of(IEnumerable<JsonRecord> records, Tokenizer tokenizer, ChatTemplate template, int time, bool perToken, string name, Action<string>? note)
    {
        var pairs = new EncodedPairs();
        int all = 0, left = 0, same = 0;
        foreach (JsonRecord record in records)
        {
            all++;
            (List<ChatMessage> prompt, List<ChatMessage> chosen, List<ChatMessage> rejected) = TurnsOf(record);
            (int[] Ids, bool[] Counts, float Weight) first = Encode(record, prompt, chosen, tokenizer, template, perToken), second = Encode(record, prompt, rejected, tokenizer, template, perToken);
            if (first.Ids.AsSpan().SequenceEqual(second.Ids))
            {
                same++;
                continue;
            }

            if (first.Ids.Length + second.Ids.Length - 2 > time)
            {
                left++;
                continue;
            }

            pairs._answers.AddRange([first, second]);
        }

        string[] reasons =
        [
            .. left > 0 ? [$"{left} of {all} pairs take more than the {time} tokens of model.context for both answers with their prompt"] : Array.Empty<string>(),
            .. same > 0 ? [$"of {same} of {all} pairs chosen and rejected are the same"] : Array.Empty<string>(),
        ];
        if (reasons.Length > 0 && pairs.Count == 0)
        {
            throw new UserException($"{name}: {string.Join("; ", reasons)}, so that none is left{(left > 0 ? "; use a larger context" : "")}");
        }

        foreach (string reason in reasons)
        {
            note?.Invoke($"{name}: {reason}; they are left out");
        }

        pairs.Reference = new float[2 * pairs.Count];
        return pairs;
    }

    /// <summary>Of given answers: for tests of the loss.</summary>
    internal static EncodedPairs Of(IEnumerable<((int[] Ids, bool[] Counts) Chosen, (int[] Ids, bool[] Counts) Rejected)> answers, bool perToken)
    {
        var pairs = new EncodedPairs();
        foreach (((int[] Ids, bool[] Counts) chosen, (int[] Ids, bool[] Counts) rejected) in answers)
        {
            pairs._answers.AddRange(new[] { chosen, rejected }.Select(answer => (answer.Ids, answer.Counts, perToken ? 1f / answer.Counts.Count(one => one) : 1)));
        }

        pairs.Reference = new float[2 * pairs.Count];
        return pairs;
    }

    /// <summary>An answer after its prompt: tokens, which of them count, and what each counts.</summary>
    /// <param name="pair">Which pair.</param>
    /// <param name="side">0 for the preferred one, 1 for the other.</param>
    public (int[] Ids, bool[] Counts, float Weight) Answer(int pair, int side) => _answers[(2 * pair) + side];

    public void Lay(int time) => Rows = new PackedRows([.. Enumerable.Range(0, Count).Select(i => _answers[2 * i].Ids.Length + _answers[(2 * i) + 1].Ids.Length - 2)], time, 1 << 6);

    // prompt, chosen and rejected, each a text or turns; without a prompt it is what both begin with.
    private static (List<ChatMessage> Prompt, List<ChatMessage> Chosen, List<ChatMessage> Rejected) TurnsOf(JsonRecord record)
    {
        List<ChatMessage> Required(string name) => ConversationFile.Find(record, name) is { } value
            ? ConversationFile.Turns(record, value, name, ChatMessage.Assistant)
            : throw record.Fault($"has no \"{name}\"; pairs are objects with prompt, chosen and rejected");
        List<ChatMessage> chosen = Required("chosen"), rejected = Required("rejected");
        if (ConversationFile.Find(record, "prompt") is { } prompt)
        {
            return (ConversationFile.Turns(record, prompt, "prompt", ChatMessage.User), chosen, rejected);
        }

        int common = 0;
        while (common < chosen.Count && common < rejected.Count && (chosen[common].Role, chosen[common].Content) == (rejected[common].Role, rejected[common].Content))
        {
            common++;
        }

        // Of equal ones the last turn is the answer.
        common -= common == chosen.Count && common == rejected.Count && common > 0 ? 1 : 0;
        return common < chosen.Count && common < rejected.Count
            ? (chosen[..common], chosen[common..], rejected[common..])
            : throw record.Fault("one of chosen and rejected is where the other begins, so that it has no answer; name what both go on from as prompt");
    }

    private static (int[] Ids, bool[] Counts, float Weight) Encode(
        JsonRecord record, List<ChatMessage> prompt, List<ChatMessage> answer, Tokenizer tokenizer, ChatTemplate template, bool perToken)
    {
        EncodedChat encoded = ConversationSource.Encode(record, [.. prompt, .. answer], tokenizer, template);
        bool[] counts = [.. encoded.IsAssistant];
        // What the assistant said before is part of the prompt.
        int earlier = prompt.Count(turn => turn.Role == ChatMessage.Assistant), at = 0;
        for (int turn = 0; turn < earlier && at < counts.Length; turn++)
        {
            while (at < counts.Length && !counts[at])
            {
                at++;
            }

            for (; at < counts.Length && counts[at]; at++)
            {
                counts[at] = false;
            }
        }

        counts[0] = false;
        int count = counts.Count(one => one);
        return count > 0 ? (encoded.Ids, counts, perToken ? 1f / count : 1) : throw record.Fault("an answer has no tokens");
    }
}
