using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using NanoFold.Engine.Data;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;
using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// The answers of conversations. A row holds several of them, each a document that sees itself alone and whose positions begin at 0; the loss is the mean over the tokens that the
/// assistant says.
/// </summary>
internal sealed class ConversationTask : LearningTask
{
    private const int MostInRow = 1 << 10;

    // As of a text: the standard error of a mean loss over so many tokens is about a tenth of a nat.
    private const int FewTokens = 1000;

    private readonly EncodedConversations _train;
    private readonly EncodedConversations _validation;
    private readonly TaskContext _context;
    private readonly int _time;
    private readonly string _validationPath;

    private ConversationTask(ConversationsConfig config, TaskContext context, Tokenizer tokenizer, Text.Chat.ChatTemplate template, string name, EncodedConversations train, EncodedConversations validation)
    {
        (_context, _time, _train, _validation, OfText, Name) = (context, context.Model.Context, train, validation, tokenizer, name);
        _validationPath = context.Data.Validation ?? "";
        ChatTemplate = template.IsPlain ? null : template.Source;
        _train.Lay(_time, config.Pack ? MostInRow : 1);
        _validation.Lay(_time, config.Pack ? MostInRow : 1);
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
    public override string ContentHash => Convert.ToHexStringLower(SHA256.HashData([.. _train.Hash, .. _validation.Hash]));

    /// <inheritdoc/>
    public override double? LossOfGuessing => Math.Log(Vocab);

    /// <inheritdoc/>
    public override string? Doubt => _context.Data is { Validation: null, ValidationFraction: 0 } ? null
        : _validation.Count > 0 ? _validation.Counted >= FewTokens ? null : $"{(_validationPath.Length > 0 ? _validationPath : $"what is held back of {Name}")}: only {_validation.Counted} tokens count, so its loss says little"
        : $"{Name}: has too few conversations to hold some back, so there will be no validation loss: use more, or a file of its own (data.validation)";

    /// <summary>Reads, writes out and tokenizes all conversations.</summary>
    public static ConversationTask Open(ConversationsConfig config, TaskContext context)
    {
        (string path, Tokenizer tokenizer, Text.Chat.ChatTemplate template) = ConversationSource.Open(config.Kind, config.Template, context);
        int time = context.Model.Context;
        (EncodedConversations first, EncodedConversations second) = ConversationSource.Split(
            context, path, (records, name) => EncodedConversations.Of(records, tokenizer, template, time, config.AnswersOnly, name, context.Note));
        return new ConversationTask(config, context, tokenizer, template, path, first, second);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time) =>
        [.. BatchField.OfTokens(time), BatchField.OfDocuments(time), .. _context.Model.Position == PositionKind.Learned ? [BatchField.OfPositions(time)] : Array.Empty<BatchField>()];

    /// <inheritdoc/>
    public override long Places(TaskSplit split) => (long)_time * split switch
    {
        TaskSplit.Training => _train.Rows.Count,
        TaskSplit.Validation => _validation.Rows.Count,
        _ => Measured.Rows.Count,
    };

    private EncodedConversations Measured => _validation.Count > 0 ? _validation : _train;

    /// <inheritdoc/>
    public override int Fill(in RowKey key, in BatchRow row)
    {
        EncodedConversations from = key.Split switch { TaskSplit.Training => _train, TaskSplit.Validation => _validation, _ => Measured };
        int number = key.Split == TaskSplit.Training ? from.Rows.RowOf(key, _context.Accumulate, _context.Seed) : (int)key.Number;
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        Span<int> documents = row.Integers(BatchField.Documents), positions = row.Integers(BatchField.Positions);
        int at = 0, document = 0, asked = 0;
        foreach (int piece in from.Rows[number])
        {
            ReadOnlySpan<int> own = from.TokensOf(piece);
            ReadOnlySpan<bool> counts = from.CountsOf(piece);
            int length = own.Length - 1;
            own[..length].CopyTo(tokens[at..]);
            for (int i = 0; i < length; i++)
            {
                targets[at + i] = counts[i + 1] ? own[i + 1] : -1;
                asked += counts[i + 1] ? 1 : 0;
                if (!documents.IsEmpty)
                {
                    documents[at + i] = document;
                }

                if (!positions.IsEmpty)
                {
                    positions[at + i] = i;
                }
            }

            at += length;
            document++;
        }

        return asked;
    }

    /// <inheritdoc/>
    public override TaskScore NewScore() => new TextScore(OfText.ByteLengths.ToArray());

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

            lines.Add(OfText.DecodeText(tokens[start..end]));
        }

        return lines;
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Describe()
    {
        yield return $"{Name}: {_train.Describe(_time)}";
        yield return $"validation: {_validation.Describe(_time)}{(_validationPath.Length > 0 ? $" of {_validationPath}" : "")}";
    }
}

/// <summary>Conversations as tokens, each with which of them count, and the rows that they are laid into.</summary>
internal sealed class EncodedConversations
{
    private readonly int[] _tokens;
    private readonly bool[] _counts;
    private readonly int[] _starts;

    private EncodedConversations(List<int> tokens, List<bool> counts, List<int> starts) => (_tokens, _counts, _starts) = ([.. tokens], [.. counts], [.. starts]);

    /// <summary>How many.</summary>
    public int Count => _starts.Length - 1;

    /// <summary>Tokens that count.</summary>
    public int Counted => _counts.Count(one => one);

    /// <summary>Once they are laid.</summary>
    public PackedRows Rows { get; private set; } = null!;

    /// <summary>SHA-256 of what they are.</summary>
    public byte[] Hash
    {
        get
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData(MemoryMarshal.AsBytes(_starts.AsSpan()));
            hash.AppendData(MemoryMarshal.AsBytes(_tokens.AsSpan()));
            hash.AppendData(MemoryMarshal.AsBytes(_counts.AsSpan()));
            return hash.GetHashAndReset();
        }
    }

    /// <summary>Tokenizes them; what goes beyond a row is cut off, and what then has no answer left is left out, with a note.</summary>
    /// <exception cref="UserException">A conversation has no answer, its template fails, or none is left.</exception>
    public static EncodedConversations Of(
        IEnumerable<JsonRecord> records, Tokenizer tokenizer, ChatTemplate template, int time, bool answersOnly, string name, Action<string>? note)
    {
        List<int> tokens = [], starts = [0];
        List<bool> counts = [];
        int cut = 0, dropped = 0, all = 0;
        foreach (JsonRecord record in records)
        {
            all++;
            EncodedChat encoded = ConversationSource.Encode(record, ConversationFile.TurnsOf(record), tokenizer, template);
            int length = Math.Min(encoded.Ids.Length, time + 1);
            cut += length < encoded.Ids.Length ? 1 : 0;
            bool[] own = answersOnly ? encoded.IsAssistant : [.. Enumerable.Repeat(true, encoded.Ids.Length)];
            if (length < 2 || own.AsSpan(1, length - 1).IndexOf(true) < 0)
            {
                dropped++;
                continue;
            }

            tokens.AddRange(encoded.Ids.AsSpan(0, length));
            counts.AddRange(own.AsSpan(0, length));
            starts.Add(tokens.Count);
        }

        if (all > 0 && starts.Count == 1)
        {
            throw new UserException($"{name}: none of {all} conversations has an answer within model.context = {time} tokens; use a larger context");
        }

        string left = dropped > 0 ? $"{dropped} have no answer{(cut > 0 ? " before that" : "")} and are left out" : "";
        if (cut > 0)
        {
            note?.Invoke($"{name}: {cut} of {all} conversations are longer than model.context = {time} and are cut off there{(dropped > 0 ? $"; {left}" : "")}");
        }
        else if (dropped > 0)
        {
            note?.Invoke($"{name}: of {all} conversations {left}");
        }

        return new EncodedConversations(tokens, counts, starts);
    }

    public void Lay(int time, int most) => Rows = new PackedRows([.. Enumerable.Range(0, Count).Select(i => _starts[i + 1] - _starts[i] - 1)], time, most);

    public ReadOnlySpan<int> TokensOf(int conversation) => _tokens.AsSpan(_starts[conversation]..(_starts[conversation + 1]));

    public ReadOnlySpan<bool> CountsOf(int conversation) => _counts.AsSpan(_starts[conversation]..(_starts[conversation + 1]));

    public string Describe(int time) => string.Create(
        CultureInfo.InvariantCulture, $"{Count:N0} conversations, {_tokens.Length:N0} tokens, of which {Counted:N0} count, in {Rows.Count:N0} rows of {time}");
}
