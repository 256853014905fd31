using System.Text.Json.Nodes;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Cli.Commands.Chat;

/// <summary>What was said so far, and how answers are drawn.</summary>
internal sealed class Conversation(ChatWriter writer, GenerationConfig settings, long seed, string? system)
{
    private readonly List<ChatMessage> _messages = Begin(system);

    public GenerationConfig Settings { get; private set; } = settings;

    public long Seed { get; set; } = seed;

    /// <summary>What the model is told before all else.</summary>
    public string? System { get; private set; } = system;

    public IReadOnlyList<ChatMessage> Messages => _messages;

    /// <summary>How many answers to the last question were drawn before, so that another one is not the same.</summary>
    public int Attempts { get; private set; }

    /// <summary>Whether there is an answer to take back.</summary>
    public bool HasAnswer => _messages is [.., { Role: ChatMessage.Assistant }];

    /// <summary>Takes settings where they are within their ranges.</summary>
    public void Change(GenerationConfig changed)
    {
        writer.Require(changed);
        Settings = changed;
    }

    /// <summary>Begins anew, with another system prompt if one is given.</summary>
    public void Reset(string? text = null)
    {
        System = text ?? System;
        _messages.Clear();
        _messages.AddRange(Begin(System));
        Attempts = 0;
    }

    /// <summary>Answers a question; where that fails, the conversation stays as it was.</summary>
    /// <param name="question">What is asked; null to draw another answer to the last one.</param>
    /// <param name="onText">Told of text as it comes.</param>
    /// <param name="stop">Ends the answer where it is.</param>
    public (ChatAnswer Answer, ChatHistory History) Ask(string? question, Action<string> onText, CancellationToken stop)
    {
        List<ChatMessage> asked = question is null ? _messages[..^1] : [.. _messages, new ChatMessage(ChatMessage.User, question)];
        ChatHistory history = writer.Fit(asked, Settings);
        int attempts = question is null ? Attempts + 1 : 0;
        ChatAnswer answer = writer.Answer(history, Settings, (ulong)Seed, attempts, onText, stop);
        Attempts = attempts;
        if (answer is { IsStopped: true, Text.Length: 0 })
        {
            // As if it had not been asked.
            return (answer, history);
        }

        _messages.Clear();
        _messages.AddRange(asked);
        // A template may leave the space before an answer to the model.
        _messages.Add(new ChatMessage(ChatMessage.Assistant, answer.Text.TrimStart()));
        return (answer, history);
    }

    /// <summary>Takes the last question and its answer back; false where there is none.</summary>
    public bool Undo()
    {
        int at = _messages.FindLastIndex(message => message.Role == ChatMessage.User);
        if (at >= 0)
        {
            _messages.RemoveRange(at, _messages.Count - at);
        }

        Attempts = 0;
        return at >= 0;
    }

    /// <summary>All of it, as files of conversations have it.</summary>
    public JsonArray ToJson() => [.. _messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })];

    private static List<ChatMessage> Begin(string? system) => system is null ? [] : [new ChatMessage(ChatMessage.System, system)];
}
