using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Model;

/// <summary>
/// A pattern as one text: layers by the kind of their mixer, one after the other, as in <c>sliding-window*3, attention</c>. <c>*3</c> repeats a layer or what is in
/// parentheses, <c>/moe</c> names its feed-forward, <c>attention+mamba2</c> are two mixers beside each other (<c>parallel</c>).
/// </summary>
internal sealed class PatternTextAttribute : ListTextAttribute
{
    private const int MostBlocks = 4096;

    public override JsonArray? Parse(string text, out string problem)
    {
        try
        {
            var reader = new Reader(text);
            List<JsonObject> blocks = reader.Blocks();
            reader.End();
            problem = "";
            return new JsonArray([.. blocks]);
        }
        catch (FormatException e)
        {
            problem = $"{e.Message}; expected layers such as \"sliding-window*3, attention/moe\" or \"(mamba2*2, attention)*4\"";
            return null;
        }
    }

    private sealed class Reader(string text)
    {
        private int _at;

        /// <summary>Blocks with commas between them.</summary>
        public List<JsonObject> Blocks()
        {
            var blocks = new List<JsonObject>();
            do
            {
                blocks.AddRange(Item());
                Require(blocks.Count <= MostBlocks, $"more than {MostBlocks} layers");
            }
            while (Takes(','));
            return blocks;
        }

        public void End() => Require(Peek() == '\0', $"'{Peek()}' at character {_at + 1} is not expected");

        private List<JsonObject> Item()
        {
            if (!Takes('('))
            {
                JsonObject block = Block();
                if (Takes('*'))
                {
                    block["repeat"] = Number();
                }

                return [block];
            }

            List<JsonObject> blocks = Blocks();
            Require(Takes(')'), "a parenthesis is not closed");
            int times = Takes('*') ? Number() : 1;
            Require((long)blocks.Count * times <= MostBlocks, $"more than {MostBlocks} layers");
            return [.. Enumerable.Range(0, times).SelectMany(_ => blocks.Select(block => (JsonObject)block.DeepClone()))];
        }

        private JsonObject Block()
        {
            var block = new JsonObject();
            if (Peek() != '/')
            {
                var mixers = new List<string> { Name() };
                while (Takes('+'))
                {
                    mixers.Add(Name());
                }

                block["mixer"] = mixers is [string one] ? one : new JsonObject { [ConfigJson.Kind] = "parallel", ["mixers"] = new JsonArray([.. mixers.Select(kind => JsonValue.Create(kind))]) };
            }

            if (Takes('/'))
            {
                block["feedForward"] = Name();
            }

            return block;
        }

        private string Name()
        {
            _ = Peek();
            int start = _at;
            while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] is '-' or '_'))
            {
                _at++;
            }

            Require(_at > start, $"a kind is missing at character {start + 1}");
            return text[start.._at];
        }

        private int Number()
        {
            string digits = Name();
            Require(int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is >= 1 and <= MostBlocks, $"{digits} is not a number of layers");
            return number;
        }

        private bool Takes(char wanted)
        {
            bool isThere = Peek() == wanted;
            _at += isThere ? 1 : 0;
            return isThere;
        }

        // The next character that is no space.
        private char Peek()
        {
            while (_at < text.Length && char.IsWhiteSpace(text[_at]))
            {
                _at++;
            }

            return _at < text.Length ? text[_at] : '\0';
        }

        private static void Require(bool holds, string problem)
        {
            if (!holds)
            {
                throw new FormatException(problem);
            }
        }
    }
}
