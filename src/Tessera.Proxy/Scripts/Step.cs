using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Scripts;

/// <summary>One step of a script. Immutable.</summary>
internal abstract class Step
{
    public static Step Of(ScriptStep config, Func<RouteConfig, Route> createRoute) => config switch
    {
        SetStep set => Assignment.Of(set),
        RewriteStep rewrite => new PathChange(rewrite),
        ReturnStep answer => new Answer(answer),
        BreakStep => new Stop(),
        IfStep branch => new Branch(branch, createRoute),
        _ => throw new InvalidOperationException($"{config.GetType().Name} is no step"),
    };

    public abstract ScriptEnd Run(Exchange exchange, ref ScriptCourse course);

    private sealed class Stop : Step
    {
        public override ScriptEnd Run(Exchange exchange, ref ScriptCourse course)
        {
            course.NeedsLocation = false;
            return ScriptEnd.Stopped;
        }
    }

    private sealed class Answer(ReturnStep config) : Step
    {
        private readonly Template? _text =
            config.Text is { } text ? Template.Parse(text) : null;

        public override ScriptEnd Run(Exchange exchange, ref ScriptCourse course) =>
            new(ScriptVerdict.Answer, config.Status, _text);
    }

    private sealed class Branch(IfStep config, Func<RouteConfig, Route> createRoute) : Step
    {
        private readonly Condition _condition = Condition.Of(config.Condition);
        private readonly Script? _script = Script.Of(config.Steps, createRoute);
        private readonly Route? _route =
            config.Location is { } location ? createRoute(location) : null;

        public override ScriptEnd Run(Exchange exchange, ref ScriptCourse course)
        {
            if (!_condition.Holds(exchange, course))
            {
                return ScriptEnd.Done;
            }

            if (_route is not null)
            {
                exchange.Follow(_route);
            }

            return _script?.Continue(exchange, ref course) ?? ScriptEnd.Done;
        }
    }
}

/// <summary>set, of a variable of the configuration or of one that may be changed.</summary>
internal abstract class Assignment(Template value) : Step
{
    /// <exception cref="FormatException">There is no such variable to set.</exception>
    public static Assignment Of(SetStep config)
    {
        var value = Template.Parse(config.Value);
        return config.Variable switch
        {
            "args" or "query_string" => new OfQuery(value),
            "limit_rate" => new OfRate(value),
            _ => new OfOwn(
                VariableScope.Current.Find(config.Variable)
                    ?? throw new UnknownVariableException(config.Variable),
                value),
        };
    }

    public override ScriptEnd Run(Exchange exchange, ref ScriptCourse course)
    {
        using var text = ScriptText.Evaluate(value, exchange, course);
        Set(exchange, text.Text);
        return ScriptEnd.Done;
    }

    protected abstract void Set(Exchange exchange, ReadOnlySpan<byte> text);

    private sealed class OfOwn(OwnVariable variable, Template value) : Assignment(value)
    {
        protected override void Set(Exchange exchange, ReadOnlySpan<byte> text) =>
            exchange.SetOwn(variable, text);
    }

    private sealed class OfQuery(Template value) : Assignment(value)
    {
        protected override void Set(Exchange exchange, ReadOnlySpan<byte> text) =>
            exchange.SetQuery(text);
    }

    private sealed class OfRate(Template value) : Assignment(value)
    {
        protected override void Set(Exchange exchange, ReadOnlySpan<byte> text) =>
            exchange.SetRate(text);
    }
}
