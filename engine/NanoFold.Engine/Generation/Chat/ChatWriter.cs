using System.Runtime.InteropServices;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Generation;

/// <summary>
/// Answers in a conversation. What the model has read stays with it from turn to turn: where a conversation goes on from the one before, only what is new is read.
/// </summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class ChatWriter : IDisposable
{
    private readonly Transformer _model;
    private readonly Tokenizer _tokenizer;
    private readonly ChatEnd _end;
    private readonly Decoder _decoder;
    private readonly float[] _logits;

    // What the decoder was given and not told to forget.
    private readonly List<int> _read = [];

    /// <param name="model">In float32; not disposed here.</param>
    /// <param name="tokenizer">The one that the model was trained with.</param>
    /// <param name="template">How a conversation is written.</param>
    /// <param name="taps">Readers and editors of the model while it writes; null for none.</param>
    /// <exception cref="UserException">The tokenizer has tokens that the model does not know, or a point of the taps is not there.</exception>
    public ChatWriter(Transformer model, Tokenizer tokenizer, ChatTemplate template, TapSet? taps = null)
    {
        Generator.RequireFit(model, tokenizer);
        (_model, _tokenizer, Template) = (model, tokenizer, template);
        _end = ChatEnd.Of(template, tokenizer);
        _logits = new float[model.Config.Vocab];
        _decoder = new Decoder(model, batch: 1);
        if (taps is not null)
        {
            _decoder.Taps = taps;
            _decoder.Prepare();
        }
    }

    /// <summary>How a conversation is written.</summary>
    public ChatTemplate Template { get; }

    /// <summary>What ends an answer.</summary>
    public ChatEnd End => _end;

    /// <summary>Tokens that the model sees.</summary>
    public int Context => _model.Config.Context;

    /// <summary>Throws where <see cref="Answer"/> would, for these options.</summary>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    public void Require(GenerationConfig options) => OptionCheck.Validate(options, Context);

    /// <summary>The conversation as far as it leaves room for an answer: as many tokens as one may have, at most half of the context.</summary>
    /// <exception cref="UserException">The template refuses it, or the last question alone is too long.</exception>
    public ChatHistory Fit(IReadOnlyList<ChatMessage> messages, GenerationConfig options) => ChatHistory.Fit(Template, _tokenizer, messages, Context - Math.Min(options.MaxTokens, Context / 2));

    /// <summary>Writes the answer to a conversation.</summary>
    /// <param name="history">The conversation, of which at least one token is free in the context.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="seed">Of the draws.</param>
    /// <param name="number">How many answers to the same conversation were drawn with that seed before.</param>
    /// <param name="onText">Told of new text as it comes, in whole characters and never beyond what ends the answer.</param>
    /// <param name="stop">Ends the answer where it is.</param>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    public ChatAnswer Answer(ChatHistory history, GenerationConfig options, ulong seed, int number = 0, Action<string>? onText = null, CancellationToken stop = default)
    {
        Require(options);
        int kept = Begin(history.Ids), room = _model.SlidesOn ? int.MaxValue : Math.Max(1, Context - history.Ids.Length);
        var sampler = new Sampler(options, _tokenizer.Vocab, seed);
        GenerationConfig bounded = options with { MaxTokens = Math.Min(options.MaxTokens, room), Stop = [.. options.Stop, .. _end.Texts] };
        var row = new SampleRow("", number, history.Ids, _tokenizer, bounded) { EndTokens = _end.Tokens };
        var clock = new DecodeClock();
        clock.Begin();
        while (row.Finish is null && !stop.IsCancellationRequested)
        {
            _decoder.Run();
            if (!_decoder.HasLogits(0))
            {
                continue;
            }

            _decoder.ReadLogits(0, _logits);
            int token = row.Draw(sampler, _logits, out string text);
            clock.Add();
            Tell(text);
            if (row.Finish is null)
            {
                _decoder.Append(0, token);
                _read.Add(token);
            }
        }

        bool isStopped = row.Finish is null;
        Tell(isStopped ? row.Rest() : "");
        int[] tokens = [.. row.Tokens[row.PromptTokens..]];
        return new ChatAnswer(row.Text, tokens, row.Finish ?? FinishReason.Length, isStopped, row.PromptTokens, kept, tokens.Length > 0 ? clock.TokensPerSecond : 0);

        void Tell(string text)
        {
            if (text.Length > 0)
            {
                onText?.Invoke(text);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _decoder.Dispose();

    // Gives the decoder the conversation; returns how much of it is there already.
    private int Begin(ReadOnlySpan<int> ids)
    {
        ReadOnlySpan<int> read = CollectionsMarshal.AsSpan(_read);
        int kept = read.Length < ids.Length && ids.Length <= Context && ids.StartsWith(read) ? read.Length : 0;
        if (kept == 0)
        {
            _read.Clear();
            _decoder.Begin(0, ids);
        }
        else
        {
            foreach (int id in ids[kept..])
            {
                _decoder.Append(0, id);
            }
        }

        _read.AddRange(ids[kept..]);
        return kept;
    }
}

/// <summary>What a model said in a conversation.</summary>
/// <param name="Text">Without what ended it.</param>
/// <param name="TokenIds">Every token that was sampled; the last ones may be the mark that ended it.</param>
/// <param name="Finish">Why it ended: <see cref="FinishReason.Length"/> also where the context was full.</param>
/// <param name="IsStopped">It was stopped on the way, whatever <paramref name="Finish"/> says.</param>
/// <param name="PromptTokens">Tokens of the conversation before it.</param>
/// <param name="KeptTokens">How many of them the model still knew from the turn before.</param>
/// <param name="TokensPerSecond">Of sampling, from the first token on; 0 where there are none.</param>
public sealed record ChatAnswer(string Text, IReadOnlyList<int> TokenIds, FinishReason Finish, bool IsStopped, int PromptTokens, int KeptTokens, double TokensPerSecond);
